"""When schedules are due: expressions, time zones, and clocks that run faster than the wall's."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bicoastal.core.cron import cron
from bicoastal.core.errors import SystemFault
from bicoastal.twin.pace import REAL, Pace
from bicoastal.twin.timetable import Clock, due

WEEKDAYS = "0 9 ? * MON-FRI *"
NEW_YORK = "America/New_York"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("fields", "zone", "after", "next_"),
    [
        (WEEKDAYS, "UTC", "2026-11-26T08:59:59", "2026-11-26T09:00:00"),
        (WEEKDAYS, "UTC", "2026-11-26T09:00:00", "2026-11-27T09:00:00"),
        (WEEKDAYS, "UTC", "2026-11-27T09:00:00", "2026-11-30T09:00:00"),  # Friday to Monday
        (WEEKDAYS, NEW_YORK, "2026-11-26T00:00:00", "2026-11-26T14:00:00"),
        (WEEKDAYS, NEW_YORK, "2026-07-01T00:00:00", "2026-07-01T13:00:00"),  # the clocks have changed
        ("0/15 * * * ? *", "UTC", "2026-01-01T00:07:00", "2026-01-01T00:15:00"),
        ("30 4 L * ? *", "UTC", "2026-02-01T00:00:00", "2026-02-28T04:30:00"),
        ("0 12 ? * 2#1 *", "UTC", "2026-11-03T00:00:00", "2026-12-07T12:00:00"),
        ("0 0 1 1 ? 2030", "UTC", "2026-01-01T00:00:00", "2030-01-01T00:00:00"),
        ("5,10 0 ? JAN,JUL SUN *", "UTC", "2026-01-04T00:05:00", "2026-01-04T00:10:00"),
    ],
)
def test_cron_finds_the_next_time(fields: str, zone: str, after: str, next_: str) -> None:
    assert cron(fields, zone, at(after)) == at(next_)


def test_what_is_no_schedule_is_said() -> None:
    clock = Clock(0, REAL)
    for wrong in ("every day", "cron(0 9 * *)", "cron(0 99 ? * * *)", "rate(5 weeks)", "rate(0 minutes)", "at(noon)"):
        with pytest.raises(SystemFault):
            due(wrong, "UTC", clock, None)
    with pytest.raises(SystemFault, match="time zone"):
        due("cron(0 9 ? * * *)", "Mars/Olympus", clock, None)
    assert cron("0 0 31 2 ? *", "UTC", at("2026-01-01T00:00:00")) is None


def test_at_the_real_pace_the_clock_is_the_wall_s() -> None:
    made = at("2026-11-26T08:00:00").timestamp()
    clock = Clock(made, REAL)
    nine = at("2026-11-26T09:00:00").timestamp()
    assert due("at(2026-11-26T09:00:00)", "UTC", clock, None) == nine
    assert due("at(2026-11-26T09:00:00)", "UTC", clock, nine) is None, "once"
    assert due("rate(1 hour)", "UTC", clock, None) == nine
    assert due("rate(1 hour)", "UTC", clock, nine) == nine + 3600
    assert due(f"cron({WEEKDAYS})", "UTC", clock, None) == nine


def test_at_a_fast_pace_the_days_go_by_from_when_it_was_made() -> None:
    made = at("2026-11-26T08:00:00").timestamp()
    clock = Clock(made, Pace("of a test", 60))
    first = due(f"cron({WEEKDAYS})", "UTC", clock, None)
    assert first == made + 60, "an hour is a minute"
    second = due(f"cron({WEEKDAYS})", "UTC", clock, first)
    assert second == pytest.approx(made + 60 + 24 * 60)
    assert due("at(2026-11-26T09:00:00)", "UTC", clock, None) == made + 60
