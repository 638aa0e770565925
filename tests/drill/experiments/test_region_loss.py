"""A region is lost for real: both regions on this machine, users on both coasts, the command that an operator types.

How long it took is held against the bars by `bench/failover.py`, on a machine that does nothing else.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from bicoastal.cli.drill import script_of
from bicoastal.drill.drill import drill
from bicoastal.drill.experiments import EXPERIMENTS, region_loss
from bicoastal.drill.report import Report, as_json
from bicoastal.twin.pace import FAST
from tests.drill.entries import EAST, WEST
from tests.drill.made import FAULT, evidence, lost, run
from tests.drill.test_report import CONTRACT
from tests.support.running import sample

TIMED = ("every user", region_loss.RETURNED)
"""What begins the promises that a clock decides."""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    folder: Path = tmp_path_factory.mktemp("application")
    said: list[str] = []
    experiment = EXPERIMENTS["region-loss"].staying()
    script = script_of(sample(folder), experiment.asks, folder / "asked")
    return drill(experiment, script, FAST, seed=1, tell=said.append)


def test_everything_but_the_clock_held(report: Report) -> None:
    assert [said for said in report.broken if not said.text.startswith(TIMED)] == []
    assert {said.part for said in report.sentences} == {"given", "when", "then", "afterwards"}


def test_every_user_was_served_again_by_the_survivor(report: Report) -> None:
    assert report.reads.seconds
    assert report.writes.seconds
    assert set(report.writes.by_coast) == {EAST, WEST}
    assert report.moved_s
    assert report.seen["reads"]["ok"]
    assert sum(report.seen["writes"].values()) > report.seen["writes"].get("ok", 0), "the loss was noticed"


def test_the_path_of_the_operator_asked_the_survivor_alone(report: Report) -> None:
    assert not report.forbidden
    assert {call.region for call in report.calls if call.outcome == "ok"} == {WEST}


def test_rows_are_counted_in_both_databases(report: Report) -> None:
    assert report.loss is not None
    assert report.loss.acknowledged > 10
    assert report.loss.lost_after == len(report.loss.accepted_before_fence or ())
    assert report.loss.accepted_from_followers == 0
    assert report.loss.diverged is not None, "the returned database was asked"


def test_the_time_line_holds_the_steps_of_the_operation(report: Report) -> None:
    names = [phase.name for phase in report.phases]
    assert names[0] == "steady state"
    assert {"failover", "promote", "open the read gate", "the old primary is fenced"} <= set(names)
    assert all(phase.start_s <= phase.end_s for phase in report.phases)


def test_its_json_keeps_the_contract(report: Report) -> None:
    data: Any = json.loads(as_json(report))
    jsonschema.validate(data, CONTRACT)
    assert data["predicted"]["twin, pace fast"]["reads_s"]["most"] == 9
    assert data["predicted"]["AWS"]["reads_s"]["most"] == 90


@pytest.mark.parametrize(
    ("alone", "held"),
    [
        ([FAULT + 2, "isolated"], True),
        ([FAULT + 6, "isolated"], True),
        # Sooner than its patience, later than a failover waits, for another reason, or never.
        ([FAULT + 0.5, "isolated"], False),
        ([FAULT + 9, "isolated"], False),
        ([FAULT + 2, "superseded"], False),
        ([None, None], False),
        (None, False),
    ],
)
def test_who_is_cut_off_fences_itself_in_time(alone: list[object] | None, *, held: bool) -> None:
    assert region_loss.judge_isolated(run(notes={"alone": alone}), evidence())[0] is held


@pytest.mark.parametrize(
    ("after", "up", "held"),
    [
        (4.0, 90.0, True),
        (9.0, 95.0, True),
        (9.0, 91.0, False),
        (9.0, 90.0, False),
        (None, 90.0, False),
        (2.0, None, False),
    ],
)
def test_who_returns_is_told_in_time(after: float | None, up: float | None, *, held: bool) -> None:
    """Counted from when its server had begun: here the region has returned at 90."""
    made = run(returned=90.0, fenced_after_s=after, notes={"old_primary_up": up})
    assert region_loss.judge_told(made, evidence())[0] is held


def test_rows_of_the_stale_primary_are_counted_or_it_is_said_that_they_are_not() -> None:
    whole = replace(lost("a", diverged=("a", "b")), accepted_before_fence=("a",))
    assert region_loss.judge_counted(run(), evidence(loss=whole))[0]
    assert not region_loss.judge_counted(run(), evidence(loss=replace(whole, accepted_before_fence=("c",))))[0]
    assert not region_loss.judge_counted(run(), evidence(loss=replace(whole, accepted_before_fence=None)))[0]
    assert not region_loss.judge_counted(run(), evidence(loss=replace(whole, diverged=None)))[0]
    assert not region_loss.judge_counted(run(), evidence())[0]
