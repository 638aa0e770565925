"""The arithmetic of windows, against counting minute by minute."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from bicoastal.spec.windows import DAY, WEEK, Window, clock, collisions, daily, minutes, next_free, offsets, weekly


def test_reading_windows() -> None:
    assert minutes("01:30") == 90
    assert clock(DAY + 90) == "01:30"
    assert daily("23:45-00:15")[0] == Window(23 * 60 + 45, 30)
    assert len(daily("23:45-00:15")) == 7
    assert weekly("sun:23:30-mon:00:30") == Window(6 * DAY + 23 * 60 + 30, 60)


def test_offsets_hold_standard_and_daylight_time() -> None:
    assert offsets(ZoneInfo("America/New_York")) == [-300, -240]
    assert offsets(ZoneInfo("Australia/Lord_Howe")) == [630, 660]
    assert offsets(ZoneInfo("Asia/Kolkata")) == [330]
    assert offsets(ZoneInfo("UTC")) == [0]


@settings(max_examples=100, deadline=None)
@given(st.integers(0, WEEK - 1), st.integers(1, 600), st.integers(0, WEEK - 1), st.integers(1, 600))
def test_windows_meet_where_they_share_a_minute(start: int, length: int, other: int, other_length: int) -> None:
    one = {minute % WEEK for minute in range(start, start + length)}
    two = {minute % WEEK for minute in range(other, other + other_length)}
    assert Window(start, length).meets(Window(other, other_length)) is bool(one & two)
    before = {minute % WEEK for minute in range(start - 60, start + length)}
    assert {minute for minute in range(WEEK) if Window(start, length).with_the_hour_before().holds(minute)} == before


def test_a_day_without_room_offers_nothing() -> None:
    assert next_free(0, [0], daily("00:00-23:30")) is None
    assert next(collisions(0, [0], daily("00:00-23:30"))).weekday == 0
