"""A switchover, judged on what was made up: a pause that is too long, one that nobody measured, a row from nowhere."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from bicoastal.drill.experiment import Run
from bicoastal.drill.experiments import switchover
from bicoastal.drill.operator import Command
from tests.drill.entries import WEST, write
from tests.drill.made import evidence, run


@dataclass
class Typed:
    """An operator who has typed two switchovers."""

    commands: list[Command] = field(
        default_factory=lambda: [
            Command(("switchover", "--to", "us-west-2"), 110.0, 118.0, 0),
            Command(("rejoin",), 118.0, 120.0, 0),
            Command(("switchover", "--to", "us-east-1"), 120.0, 123.0, 1),
            Command(("switchover", "--to", "us-east-1"), 130.0, 135.0, 0),
        ]
    )


def typed(**changes: Any) -> Run:
    return run(operator=Typed(), **changes)


def writes(*at: float, coast: str) -> list[Any]:
    return [write(moment, f"{coast}{moment}", coast=coast) for moment in at]


def test_the_pause_is_that_of_whoever_waited_longest() -> None:
    made = typed()
    east = writes(110.5, 112.0, 115.5, 118.5, 130.5, 133.0, 135.5, coast="us-east-1")
    west = writes(110.1, 114.1, 115.9, 118.9, 130.1, 132.0, 135.9, coast=WEST)
    held, said = switchover.judge_pauses(made, evidence(*east, *west))
    assert held, said
    assert said == "4.00 s and 3.90 s, at most 6 s"
    assert made.notes["pauses_s"] == [4.0, 3.9]


@pytest.mark.parametrize("moments", [(110.1, 130.1, 135.9), (110.5, 112.0, 115.5)])
def test_a_pause_that_is_too_long_or_that_nobody_measured_is_none_that_held(moments: tuple[float, ...]) -> None:
    assert not switchover.judge_pauses(typed(), evidence(*writes(*moments, coast=WEST)))[0]


def test_a_row_that_nobody_wrote_is_named() -> None:
    seen = evidence(write(110.0, "mine"))
    assert switchover.judge_rows(typed(survivor_rows=frozenset({"mine", "before"}), known_rows={"before"}), seen)[0]
    held, said = switchover.judge_rows(typed(survivor_rows=frozenset({"mine", "whose"})), seen)
    assert (held, said) == (False, "1 rows that nobody wrote, the first whose")
    assert not switchover.judge_rows(typed(), seen)[0]
