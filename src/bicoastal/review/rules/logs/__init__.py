"""Logs: where they go, and for how long."""
