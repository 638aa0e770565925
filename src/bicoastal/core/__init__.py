"""What every layer shares: where something is, what is wrong with it, and how a command ends."""
