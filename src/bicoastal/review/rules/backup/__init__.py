"""Backups: whether they are made, kept and copied."""
