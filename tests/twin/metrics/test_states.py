"""M of N and missing data, held to the tables of the CloudWatch User Guide: 0 is fine, X breaches, - is missing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bicoastal.twin.metrics.states import State, outcome

_SIGNS = {"0": False, "X": True, "-": None}
KEPT = None
OK: State = "OK"
ALARM: State = "ALARM"
UNKNOWN: State = "INSUFFICIENT_DATA"

THREE_OF_THREE = [
    ("0-X-X", 0, OK, OK, OK, OK),
    ("----0", 2, OK, OK, OK, OK),
    ("-----", 3, UNKNOWN, KEPT, ALARM, OK),
    ("0XX-X", 0, ALARM, ALARM, ALARM, ALARM),
    ("--X--", 2, ALARM, KEPT, ALARM, OK),
]
TWO_OF_THREE = [
    ("0-X-X", 0, ALARM, ALARM, ALARM, ALARM),
    ("00X0X", 0, ALARM, ALARM, ALARM, ALARM),
    ("0-X--", 1, OK, OK, ALARM, OK),
    ("----0", 2, OK, OK, ALARM, OK),
    ("---X-", 2, ALARM, KEPT, ALARM, OK),
]
ROWS = [(3, *row) for row in THREE_OF_THREE] + [(2, *row) for row in TWO_OF_THREE]


Row = tuple[int, str, int, State | None, State | None, State | None, State | None]


@pytest.mark.parametrize("row", ROWS)
def test_the_documented_table(row: Row) -> None:
    needed, points, filled, *states = row
    signs = [_SIGNS[sign] for sign in points]
    for treatment, state in zip(("missing", "ignore", "breaching", "notBreaching"), states, strict=True):
        found = outcome(signs, 3, needed, treatment)
        assert (found.state, found.filled) == (state, filled), treatment


@pytest.mark.parametrize("points", ["----X", "---X-"])
def test_an_alarm_is_not_premature(points: str) -> None:
    assert outcome([_SIGNS[sign] for sign in points], 3, 3, "missing").state is KEPT


def test_one_busy_period_ends_a_quiet_that_takes_ten() -> None:
    quiet, busy = [True] * 12, [True] * 11 + [False]
    assert outcome(quiet, 10, 10, "breaching").state == ALARM
    assert outcome(busy, 10, 10, "breaching").state == OK
    assert outcome([None] * 12, 10, 10, "breaching").state == ALARM, "no request at all is quiet"


@given(
    st.lists(st.sampled_from([True, False, None]), min_size=7, max_size=7),
    st.integers(1, 5),
    st.sampled_from(["missing", "ignore", "breaching", "notBreaching"]),
)
def test_with_enough_data_the_treatment_of_missing_ones_decides_nothing(
    points: list[bool | None], needed: int, treatment: str
) -> None:
    real = [point for point in points if point is not None]
    found = outcome(points, 5, needed, treatment)
    if len(real) >= 5:
        assert found.state == (ALARM if sum(real[-5:]) >= needed else OK)
        assert found.filled == 0
    else:
        assert len(found.decisive) + found.filled == 5
