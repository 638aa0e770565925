"""Prepares the database and releases new versions of the application, on an instance that lives for minutes (D8)."""

from bicoastal.blueprint.bootstrap.launch import Bootstrap, bootstrap

__all__ = ["Bootstrap", "bootstrap"]
