"""Failovers: whether they work without what is lost."""
