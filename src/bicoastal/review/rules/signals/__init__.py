"""Alarms and health checks: whether what they look at exists, and whether they act."""
