"""When backups and maintenance run, as minutes of a UTC week: what collides with what.

AWS Backup cannot start an RDS backup in the hour before or during the instance's maintenance window or its
automated-backup window. Its schedule is local time, RDS's windows are UTC: so the start is looked at in each offset
that the zone has in a year, on each weekday, and a Monday night there may be a Tuesday here. The length of its start
window does not matter: a job that could not begin is tried again every ten minutes (BackupRule, startWindowMinutes).
Pure arithmetic: the years looked at are fixed, not today's, so that a spec gets the same answer tomorrow.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

DAY: Final = 24 * 60
WEEK: Final = 7 * DAY
HOUR: Final = 60
SHORTEST: Final = 30
"""Minutes that RDS wants each of its windows to last at least."""
WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_NAMES: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
BACKUP_DAYS: Final = range(5)
"""Monday to Friday (M11)."""
_YEARS: Final = (2026, 2027)


@dataclass(frozen=True)
class Window:
    """Minutes of a UTC week, from Monday 00:00; `start` below WEEK, and `minutes` may run past the week's end."""

    start: int
    minutes: int

    def holds(self, minute: int) -> bool:
        """Whether a minute of the week is inside."""
        return (minute - self.start) % WEEK < self.minutes

    def meets(self, other: Window) -> bool:
        """Whether the two share a minute."""
        return self.holds(other.start) or other.holds(self.start)

    def with_the_hour_before(self) -> Window:
        """Where AWS Backup cannot start."""
        return Window((self.start - HOUR) % WEEK, self.minutes + HOUR)


@dataclass(frozen=True)
class Collision:
    """A backup that cannot start: on a local weekday, at an offset, as minute of the UTC week."""

    weekday: int
    offset: int
    utc: int


def minutes(time: str) -> int:
    """`01:30` as minutes of the day."""
    hours, rest = time.split(":")
    return int(hours) * 60 + int(rest)


def clock(minute: int) -> str:
    """Minutes of a day or week as `01:30`."""
    return f"{minute % DAY // 60:02d}:{minute % 60:02d}"


def daily(text: str) -> list[Window]:
    """`08:00-08:30` UTC, on each day of the week."""
    start, end = (minutes(part) for part in text.split("-"))
    return [Window(day * DAY + start, (end - start) % DAY) for day in range(7)]


def weekly(text: str) -> Window:
    """`sun:09:30-sun:10:00` UTC."""
    start, end = (WEEKDAYS.index(part[:3]) * DAY + minutes(part[4:]) for part in text.split("-"))
    return Window(start, (end - start) % WEEK)


def offsets(zone: ZoneInfo) -> list[int]:
    """The offsets from UTC in minutes that a zone has in a year: standard and daylight time."""
    found = set()
    for year in _YEARS:
        for month in range(1, 13):
            for day in (1, 15):
                offset = datetime(year, month, day, 12, tzinfo=zone).utcoffset()
                found.add(round(offset.total_seconds() / 60) if offset else 0)
    return sorted(found)


def collisions(start: int, utc_offsets: list[int], windows: list[Window]) -> Iterator[Collision]:
    """Weekday backups at a local minute of the day that fall where AWS Backup cannot start."""
    forbidden = [window.with_the_hour_before() for window in windows]
    for offset in utc_offsets:
        for weekday in BACKUP_DAYS:
            utc = (weekday * DAY + start - offset) % WEEK
            if any(window.holds(utc) for window in forbidden):
                yield Collision(weekday, offset, utc)


def next_free(start: int, utc_offsets: list[int], windows: list[Window]) -> str | None:
    """The first local time after `start`, in half hours, that collides with nothing; None if there is none."""
    first = (start // 30 + 1) * 30
    for later in range(0, DAY, 30):
        candidate = (first + later) % DAY
        if next(collisions(candidate, utc_offsets, windows), None) is None:
            return clock(candidate)
    return None
