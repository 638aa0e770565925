"""AWS's cron expressions: six fields, read in a time zone. When a schedule comes next; pure, and reads no clock."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bicoastal.core.errors import SystemFault

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_SEARCHED_DAYS = 4 * 366


def cron(text: str, zone: str, after: datetime) -> datetime | None:
    """The next occurrence of AWS's six fields after a moment, None where there is none in four years.

    A local time that a change of the clocks skips is taken an hour later, and one that comes twice is taken once.
    """
    fields = text.split()
    if len(fields) != 6:
        raise SystemFault(f"cron({text}) needs six fields: minutes hours day-of-month month day-of-week year")
    minutes, hours = _values(fields[0], 0, 59), _values(fields[1], 0, 23)
    local = after.astimezone(zone_of(zone))
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


def zone_of(name: str) -> tzinfo:
    """A time zone by its IANA name. Raises SystemFault for one that there is not."""
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        raise SystemFault(f"{name!r} is no time zone") from None


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
