"""The state that data points lead to: M of the last N breach, and some of them are missing.

CloudWatch looks at a few more than N points. If N of them are there, the newest N decide, and how missing data are
treated does not matter; else the missing ones are filled in as seldom as possible. The rules, and the table that the
tests hold them to, are in the CloudWatch User Guide, "Configuring how CloudWatch alarms treat missing data".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

State = Literal["OK", "ALARM", "INSUFFICIENT_DATA"]

BEYOND = 2
"""Points that are looked at beyond N. AWS does not say how many; its examples look at 5 for an N of 3."""


@dataclass(frozen=True)
class Outcome:
    """What was found."""

    state: State | None
    """None: as it is."""
    decisive: tuple[int, ...]
    """Indexes of the points that decided, oldest first."""
    filled: int
    """Missing ones that were taken for something."""


def outcome(points: Sequence[bool | None], periods: int, needed: int, missing: str) -> Outcome:
    """`points`: whether each breaches, oldest first; None for one that is missing. `missing`: TreatMissingData."""
    real = [index for index, breaches in enumerate(points) if breaches is not None]
    if len(real) >= periods:
        newest = tuple(real[-periods:])
        return Outcome(_state(sum(bool(points[index]) for index in newest), needed), newest, 0)
    found, filled = tuple(real), periods - len(real)
    breaching = sum(bool(points[index]) for index in real)
    if missing == "breaching":
        return Outcome(_state(breaching + filled, needed), found, filled)
    if missing == "notBreaching" or breaching >= needed or breaching < len(real):
        return Outcome(_state(breaching, needed), found, filled)
    if missing == "ignore":
        return Outcome(None, found, filled)
    if not real:
        return Outcome("INSUFFICIENT_DATA", found, filled)
    # All there is breaches, and is too little: an alarm all the same once the oldest of it is as old as M points.
    return Outcome("ALARM" if len(points) - real[0] >= needed else None, found, filled)


def _state(breaching: int, needed: int) -> State:
    return "ALARM" if breaching >= needed else "OK"
