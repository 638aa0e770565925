"""Fleets: whether they stand in enough zones, grow and are replaced."""
