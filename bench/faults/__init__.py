"""A sound deployment of two regions, faults to be built into it one at a time, and the shapes that both come in."""
