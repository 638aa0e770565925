"""Weekly windows and schedules, in minutes of a week in UTC that begins on Monday at 0:00."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime

from bicoastal.cfn.values import Value

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = 24 * 60
_WEEK = 7 * _DAY
Window = tuple[int, int]
"""Start and end; one that lasts past its day, or is there every day, has a start below `_DAY` and stands for each."""


def window(value: Value) -> tuple[int, int, bool] | None:
    """RDS's `hh:mm-hh:mm` (every day) or `ddd:hh:mm-ddd:hh:mm`: start, end, and whether it is daily."""
    if not isinstance(value, str):
        return None
    daily = re.fullmatch(r"(\d\d):(\d\d)-(\d\d):(\d\d)", value)
    if daily:
        hours = [int(part) for part in daily.groups()]
        start, end = hours[0] * 60 + hours[1], hours[2] * 60 + hours[3]
        return start, end if end > start else end + _DAY, True
    weekly = re.fullmatch(r"(\w{3}):(\d\d):(\d\d)-(\w{3}):(\d\d):(\d\d)", value.lower())
    if weekly is None or weekly[1] not in _DAYS or weekly[4] not in _DAYS:
        return None
    start = _DAYS.index(weekly[1]) * _DAY + int(weekly[2]) * 60 + int(weekly[3])
    end = _DAYS.index(weekly[4]) * _DAY + int(weekly[5]) * 60 + int(weekly[6])
    return start, end if end > start else end + _WEEK, False


def overlap(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    """Whether two windows share a minute. A window of two numbers is one of a week."""
    return any(start < end2 and start2 < end for start, end in _placed(one) for start2, end2 in _placed(other))


def _placed(window_: tuple[int, ...]) -> Iterator[Window]:
    """A window on every day that it is on, and a week later, as weeks follow each other."""
    start, end = window_[0], window_[1]
    daily = len(window_) > 2 and bool(window_[2])
    for shift in range(0, 2 * _WEEK, _DAY) if daily else (0, _WEEK):
        yield start + shift, end + shift


def starts(schedule: Value, zone: Value) -> tuple[int, ...]:
    """When a `cron(...)` begins in a week, in winter and in summer; empty for what is not as plain as that."""
    fields = re.fullmatch(r"cron\((\d+) (\d+) \? \* (\S+) \*\)|cron\((\d+) (\d+) \* \* \? \*\)", str(schedule))
    if fields is None or not isinstance(zone, str):
        return ()
    minute, hour = int(fields[1] or fields[4]), int(fields[2] or fields[5])
    days = _days((fields[3] or "*").lower())
    return tuple(
        dict.fromkeys((day * _DAY + hour * 60 + minute - offset) % _WEEK for offset in _offsets(zone) for day in days)
    )


def _days(text: str) -> list[int]:
    if text == "*":
        return list(range(7))
    found = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        names = [
            _DAYS.index(name) if name in _DAYS else (int(name) + 5) % 7 if name.isdigit() else 0
            for name in (first, last or first)
        ]
        found += (
            list(range(names[0], names[1] + 1)) if names[0] <= names[1] else [*range(names[0], 7), *range(names[1] + 1)]
        )
    return found


def _offsets(zone: str) -> set[int]:
    """Minutes ahead of UTC, in January and in July; none for a zone that this machine does not know."""
    if zone in ("UTC", "Etc/UTC"):
        return {0}
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - read from disk; few plans name a zone

    try:
        known = ZoneInfo(zone)
    except (OSError, ValueError, KeyError):
        return set()
    found = (datetime(2026, month, 1, 12, tzinfo=known).utcoffset() for month in (1, 7))
    return {int(offset.total_seconds() // 60) for offset in found if offset is not None}


def clock(minute: int) -> str:
    """A minute of the week as people say it: `Tue 03:30`."""
    day, rest = divmod(minute % _WEEK, _DAY)
    return f"{_DAYS[day].capitalize()} {rest // 60:02}:{rest % 60:02}"
