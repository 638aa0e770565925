"""Databases: replicas, who reaches them, and what survives."""
