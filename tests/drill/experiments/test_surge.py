"""A surge, judged on what was made up: growth by both thresholds, slices in order, one at a time, and not twice."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from bicoastal.drill.experiment import Run
from bicoastal.drill.experiments import surge
from bicoastal.drill.watch import Change
from bicoastal.twin.faults import Act
from tests.drill.entries import EAST, WEST, read
from tests.drill.made import FAULT, evidence, run

MINUTE = 6.0
"""At the fast pace."""
NAMES = [f"slice-{number}.{WEST}.orders.example.com" for number in range(1, 5)]


def surged(*changes: Change, **notes: Any) -> Run:
    made = run(notes={"grown_at": FAULT + 20, **notes})
    made.watch = cast("Any", SimpleNamespace(changes=tuple(changes)))
    return made


def goes(number: int, at: float, to: str = EAST) -> Change:
    return Change(FAULT + at, NAMES[number - 1], to)


def figures(*minutes: tuple[float, float]) -> dict[str, list[tuple[float, float]]]:
    """Requests per target and CPU of each minute from the fault on, with two servers."""
    at = [FAULT + MINUTE * number for number in range(len(minutes))]
    return {
        "requests_per_target": [(begin, requests) for begin, (requests, _) in zip(at, minutes, strict=True)],
        "cpu_percent": [(begin, cpu) for begin, (_, cpu) in zip(at, minutes, strict=True)],
        "in_service": [(begin, 2) for begin in at],
    }


HIGH, CALM = (100, 40), (60, 5)
"""100 for each of two servers are 55 without the probes."""


@pytest.mark.parametrize(("minutes", "asked", "held"), [
    ((CALM, HIGH, HIGH, HIGH), 3 * MINUTE + 1, True),
    ((CALM, HIGH, HIGH, HIGH), 2 * MINUTE + 1, False),
    ((CALM, HIGH, HIGH, HIGH), 4 * MINUTE + 1, False),
    ((HIGH, CALM, HIGH, HIGH), 4 * MINUTE + 1, True),
    (((100, 5), (100, 5), (100, 5)), 2 * MINUTE + 1, False),
    (((50, 40), (50, 40), (50, 40)), 2 * MINUTE + 1, False),
])  # fmt: skip
def test_two_minutes_above_both_thresholds_and_nothing_less(
    minutes: tuple[tuple[float, float], ...], asked: float, *, held: bool
) -> None:
    found = surge.judge_growth(surged(figures=figures(*minutes), asked_to_grow_at=FAULT + asked), evidence())
    assert found[0] is held, found[1]


def test_a_fleet_that_was_not_asked_has_not_grown() -> None:
    assert not surge.judge_growth(surged(), evidence())[0]


def test_no_slice_leaves_before_the_fleet_is_at_its_largest_and_they_leave_in_order() -> None:
    assert surge.judge_order(surged(goes(1, 25), goes(2, 31), goes(3, 31)), evidence(until=FAULT + 100))[0]
    early = surge.judge_order(surged(goes(1, 15), goes(2, 31)), evidence(until=FAULT + 100))
    assert early == (False, "1 slices went home up to 5.0 s before the fleet was at its largest")
    assert not surge.judge_order(surged(goes(2, 25), goes(1, 31)), evidence(until=FAULT + 100))[0]
    assert not surge.judge_order(surged(goes(2, 25)), evidence(until=FAULT + 100))[0], "the first has not"
    assert not surge.judge_order(surged(), evidence(until=FAULT + 100))[0]


def test_a_quarter_at_a_time_and_somebody_is_served_there() -> None:
    there = evidence(
        read(FAULT + 30, coast=WEST, region=EAST), read(FAULT + 31, coast=WEST, region=WEST), until=FAULT + 100
    )
    assert surge.judge_quarters(surged(gone_first=1, gone_then=2), there)[0]
    assert not surge.judge_quarters(surged(gone_first=4, gone_then=4), there)[0], "all at once"
    assert not surge.judge_quarters(surged(gone_first=1, gone_then=1), there)[0]
    nobody = evidence(read(FAULT + 30, coast=WEST, region=WEST), until=FAULT + 100)
    assert not surge.judge_quarters(surged(gone_first=1, gone_then=2), nobody)[0]


def test_a_slice_that_comes_back_sooner_than_in_ten_minutes_swings() -> None:
    judged = evidence(until=FAULT + 200)
    assert surge.judge_once(surged(goes(1, 25), goes(1, 86, WEST)), judged)[0]
    assert not surge.judge_once(surged(goes(1, 25), goes(1, 60, WEST)), judged)[0]
    assert surge.judge_once(surged(goes(1, 25), goes(2, 31)), judged)[0]
    assert not surge.judge_once(surged(), judged)[0], "nothing was seen"


def test_nobody_is_sent_to_a_region_that_is_known_to_be_lost() -> None:
    judged = evidence(until=FAULT + 60)
    away, back = goes(1, -10), goes(1, 3, WEST)
    assert surge.judge_not_sent(surged(away, back, gone_first=1), judged)[0]
    assert not surge.judge_not_sent(surged(away, gone_first=1), judged)[0], "it leads there still"
    assert not surge.judge_not_sent(surged(away, back, goes(2, 20), gone_first=1), judged)[0]
    assert not surge.judge_not_sent(surged(gone_first=0), judged)[0], "the standby was not full"
    returned = surged(away, back, goes(1, 40), gone_first=1)
    returned.returned = Act("home returns", FAULT + 30, FAULT + 31)
    assert surge.judge_not_sent(returned, judged)[0], "it is there again"
