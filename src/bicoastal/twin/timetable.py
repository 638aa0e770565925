"""When AWS's schedules are due: `at(...)`, `rate(...)` and `cron(...)`, in a time zone, on a clock of the twin's pace.

At a fast pace a schedule's clock runs from when it was made: what AWS would fire after a day fires after a day's share.
So `at()` is reached when the time that lay between its making and its moment has passed, divided by the factor; and a
cron schedule sees that many days go by. At the real pace it is the clock of the wall. It knows no service.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bicoastal.core.errors import SystemFault
from bicoastal.twin.pace import Pace

_KIND = re.compile(r"\s*(at|rate|cron)\((.+)\)\s*")
_UNITS = {"minute": 60.0, "hour": 3600.0, "day": 86400.0}
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_SEARCHED_DAYS = 4 * 366


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
        return datetime.fromisoformat(text.strip()).replace(tzinfo=_zone(zone)).timestamp()
    except ValueError:
        raise SystemFault(f"at({text}) is no time: YYYY-MM-DDThh:mm:ss is") from None


def _interval(text: str) -> float:
    number, _, unit = text.strip().partition(" ")
    unit = unit.strip().removesuffix("s")
    if not number.isdecimal() or unit not in _UNITS or int(number) == 0:
        raise SystemFault(f"rate({text}) is no interval: a number of minutes, hours or days is")
    return int(number) * _UNITS[unit]


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        raise SystemFault(f"{name!r} is no time zone") from None


def cron(text: str, zone: str, after: datetime) -> datetime | None:
    """The next occurrence of AWS's six fields after a moment, None where there is none in four years.

    A local time that a change of the clocks skips is taken an hour later, and one that comes twice is taken once.
    """
    fields = text.split()
    if len(fields) != 6:
        raise SystemFault(f"cron({text}) needs six fields: minutes hours day-of-month month day-of-week year")
    minutes, hours = _values(fields[0], 0, 59), _values(fields[1], 0, 23)
    local = after.astimezone(_zone(zone))
    for offset in range(_SEARCHED_DAYS):
        day = local.date() + timedelta(days=offset)
        if not _is_day(datetime(day.year, day.month, day.day), fields):
            continue
        for hour in sorted(hours):
            for minute in sorted(minutes):
                found = datetime(day.year, day.month, day.day, hour, minute, tzinfo=local.tzinfo)
                if found.timestamp() > after.timestamp():
                    return found.astimezone(UTC)
    return None


def _is_day(day: datetime, fields: list[str]) -> bool:
    _, _, of_month, month, of_week, year = fields
    if month not in ("*", "?") and day.month not in _values(month, 1, 12, _MONTHS, 1):
        return False
    if year not in ("*", "?") and day.year not in _values(year, 1970, 2199):
        return False
    return _is_day_of_month(day, of_month) and _is_day_of_week(day, of_week)


def _is_day_of_month(day: datetime, field: str) -> bool:
    if field in ("*", "?"):
        return True
    if field == "L":
        return (day + timedelta(days=1)).day == 1
    return day.day in _values(field, 1, 31)


def _is_day_of_week(day: datetime, field: str) -> bool:
    number = (day.weekday() + 1) % 7 + 1
    if field in ("*", "?"):
        return True
    if "#" in field:
        wanted, _, week = field.partition("#")
        return number in _values(wanted, 1, 7, _DAYS, 1) and (day.day - 1) // 7 + 1 == int(week)
    if field.endswith("L"):
        return number in _values(field[:-1], 1, 7, _DAYS, 1) and (day + timedelta(days=7)).month != day.month
    return number in _values(field, 1, 7, _DAYS, 1)


def _values(field: str, least: int, most: int, names: tuple[str, ...] = (), first: int = 0) -> set[int]:
    """The numbers of a field: `*`, `1,2`, `MON-FRI`, `0/15`."""
    found: set[int] = set()
    for part in field.split(","):
        found.update(_range(part, least, most, {name: first + index for index, name in enumerate(names)}))
    if not found or min(found) < least or max(found) > most:
        raise SystemFault(f"{field!r} is no field of cron between {least} and {most}")
    return found


def _range(part: str, least: int, most: int, names: dict[str, int]) -> Iterator[int]:
    span, _, step = part.partition("/")
    begin, has_end, end = span.partition("-")
    try:
        low = least if span in ("*", "?") else names.get(begin.upper()) or int(begin)
        last = low if not step and span not in ("*", "?") else most
        high = names.get(end.upper()) or int(end) if has_end else last
        if high < low:
            yield from range(low, most + 1)
            low = least
        yield from range(low, high + 1, int(step or 1))
    except ValueError:
        raise SystemFault(f"{part!r} is no part of a cron expression") from None
