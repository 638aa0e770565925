"""A brown-out, judged on what was made up."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from bicoastal.drill.experiment import Run
from bicoastal.drill.experiments import brown_out
from bicoastal.drill.watch import Change
from tests.drill.entries import EAST, WEST, read, write
from tests.drill.made import FAULT, evidence, run

NAME = "orders.example.com"
NOTES = {
    "slow_from": FAULT - 30,
    "slow_to": FAULT - 20,
    "failing_from": FAULT - 20,
    "failing_to": FAULT - 10,
    "watched_to": FAULT + 40,
}


def browned(*changes: tuple[float, str], **notes: Any) -> Run:
    made = run(notes={**NOTES, **notes})
    seen = tuple(Change(FAULT + at, NAME, answer) for at, answer in ((-60, EAST), *changes))
    made.watch = cast("Any", SimpleNamespace(changes=seen))
    return made


LOOKED = (read(FAULT - 25), read(FAULT - 15), read(FAULT - 14, "503"))


def test_what_checks_do_not_see_moves_nobody() -> None:
    held, said = brown_out.judge_stays(browned(), evidence(*LOOKED))
    assert held, said
    assert "0 of 1 requests failed while it was slow, 1 of 2 while a quarter" in said
    assert not brown_out.judge_stays(browned((-12, WEST)), evidence(*LOOKED))[0]
    assert not brown_out.judge_stays(browned(), evidence(*LOOKED[:2]))[0], "a quarter of failures was met by somebody"
    assert not brown_out.judge_stays(run(), evidence())[0]


def test_who_is_not_moved_in_time_breaks_it() -> None:
    bar = "at most 14.0 s"
    soon = evidence(
        read(FAULT + 2, "timed out"), read(FAULT + 9), write(FAULT + 3, "r", "timed out"), write(FAULT + 10, "r")
    )
    assert brown_out.judge_moves(browned(), soon) == (True, f"10.0 s (writer near {EAST}), {bar}")
    late = evidence(read(FAULT + 2, "timed out"), read(FAULT + 19), write(FAULT + 3, "r"))
    assert not brown_out.judge_moves(browned(), late)[0]
    assert not brown_out.judge_moves(browned(), evidence(read(FAULT + 2, "timed out")))[0], "never again"
    assert not brown_out.judge_moves(browned(), evidence(read(FAULT + 2), write(FAULT + 2, "r")))[0], "nobody noticed"


def test_dns_changes_there_and_back_and_no_more() -> None:
    judged = evidence(until=FAULT + 50)
    assert brown_out.judge_once(browned((4, WEST), (25, EAST)), judged)[0]
    assert not brown_out.judge_once(browned((4, WEST), (8, EAST), (12, WEST), (25, EAST)), judged)[0]
    assert not brown_out.judge_once(browned((4, WEST)), judged)[0]
    assert not brown_out.judge_once(browned(), judged)[0]


def test_the_other_coast_is_served_all_the_time() -> None:
    assert brown_out.judge_others(browned(), evidence(read(FAULT + 2, coast=WEST), until=FAULT + 50))[0]
    failed = [read(FAULT + at, "timed out", coast=WEST) for at in (2, 3)]
    assert not brown_out.judge_others(browned(), evidence(*failed, until=FAULT + 50))[0]
    assert not brown_out.judge_others(browned(), evidence(until=FAULT + 50))[0]
