"""A region is lost for real: both regions on this machine, users on both coasts, the command that an operator types.

How long it took is held against the bars by `bench/failover.py`, on a machine that does nothing else.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from bicoastal.cli.drill import script_of
from bicoastal.drill.drill import drill
from bicoastal.drill.experiments import EXPERIMENTS
from bicoastal.drill.report import Report, as_json
from bicoastal.twin.pace import FAST
from tests.drill.entries import EAST, WEST
from tests.drill.test_report import CONTRACT
from tests.support.running import sample

TIMED = "every user"
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
