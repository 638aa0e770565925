"""Roles: what they lack, and what they have too much of."""
