"""When AWS's schedules are due: `at(...)`, `rate(...)` and `cron(...)`, in a time zone, on a clock of the twin's pace.

At a fast pace a schedule's clock runs from when it was made: what AWS would fire after a day fires after a day's share.
So `at()` is reached when the time that lay between its making and its moment has passed, divided by the factor; and a
cron schedule sees that many days go by. At the real pace it is the clock of the wall. It knows no service.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from bicoastal.core.cron import cron, zone_of
from bicoastal.core.errors import SystemFault
from bicoastal.twin.pace import Pace

_KIND = re.compile(r"\s*(at|rate|cron)\((.+)\)\s*")
_UNITS = {"minute": 60.0, "hour": 3600.0, "day": 86400.0}


@dataclass(frozen=True)
class Clock:
    """Of one schedule: the wall's until it was made, and the pace's factor as fast from there."""

    made: float
    """Seconds since the epoch."""
    pace: Pace

    def reads(self, now: float) -> float:
        """What it shows at a moment of the wall's clock."""
        return self.made + max(now - self.made, 0.0) * self.pace.factor

    def wall(self, shown: float) -> float:
        """The moment of the wall's clock at which it shows this."""
        return self.made + self.pace.seconds(shown - self.made)


def due(expression: str, zone: str, clock: Clock, last: float | None) -> float | None:
    """When it is due next after `last` (the wall's; None: it never was), by the wall's clock; None: never again.

    Raises SystemFault for an expression or a zone that AWS does not have.
    """
    found = _KIND.fullmatch(expression)
    if found is None:
        raise SystemFault(f"{expression!r} is no schedule: at(), rate() and cron() are")
    kind, text = found.groups()
    if kind == "at":
        return None if last is not None else clock.wall(_moment(text, zone))
    begin = clock.made if last is None else clock.reads(last)
    if kind == "rate":
        return clock.wall(begin + _interval(text))
    # Half a second on: what was fired last must not be found again for a rounding error.
    after = cron(text, zone, datetime.fromtimestamp(begin + (0.5 if last is not None else 0), UTC))
    return None if after is None else clock.wall(after.timestamp())


def _moment(text: str, zone: str) -> float:
    try:
        return datetime.fromisoformat(text.strip()).replace(tzinfo=zone_of(zone)).timestamp()
    except ValueError:
        raise SystemFault(f"at({text}) is no time: YYYY-MM-DDThh:mm:ss is") from None


def _interval(text: str) -> float:
    number, _, unit = text.strip().partition(" ")
    unit = unit.strip().removesuffix("s")
    if not number.isdecimal() or unit not in _UNITS or int(number) == 0:
        raise SystemFault(f"rate({text}) is no interval: a number of minutes, hours or days is")
    return int(number) * _UNITS[unit]
