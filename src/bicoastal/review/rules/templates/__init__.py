"""Templates as such: what stacks ask of each other, secrets, protection."""
