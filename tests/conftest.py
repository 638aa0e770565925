"""Settings of the whole suite: property-based tests are the same on every machine, and never fail for being slow."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("suite", derandomize=True, deadline=None, max_examples=60)
settings.load_profile("suite")
