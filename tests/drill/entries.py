"""Entries of a ledger for tests, written as what users would have seen."""

from __future__ import annotations

from bicoastal.drill.ledger import LIST, READ, WRITE, Entry, Shown

EAST, WEST = "us-east-1", "us-west-2"


def read(at: float, error: str = "", *, coast: str = EAST, user: str = "", region: str = EAST, ms: float = 10) -> Entry:
    """A read that ended at a time."""
    return Entry(at - ms / 1000, at, coast, user or f"reader near {coast}", READ, "", error, "" if error else region)


def write(
    at: float,
    key: str,
    error: str = "",
    *,
    coast: str = EAST,
    user: str = "",
    region: str = EAST,
    ms: float = 10,
    pinned: bool = False,
) -> Entry:
    """An attempt to store a row that ended at a time."""
    name = user or f"writer near {coast}"
    return Entry(at - ms / 1000, at, coast, name, WRITE, key, error, "" if error else region, None, pinned)


def listed(at: float, *rows: tuple[str, float], region: str = EAST, full: bool = False, replica: bool = False) -> Entry:
    """A list that ended at a time: rows with when they were stored, the newest first."""
    shown = Shown(tuple(id_ for id_, _ in rows), tuple(stored for _, stored in rows), full, replica)
    return Entry(at - 0.01, at, region, f"reader near {region}", LIST, "", "", region, shown=shown)
