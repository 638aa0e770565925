"""Drills in a row: who shares a stage, what ends it, and that one that cannot be played ends no other."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bicoastal.core.errors import SystemFault
from bicoastal.drill import drill
from bicoastal.drill.drill import several
from bicoastal.drill.experiment import Experiment, Said
from bicoastal.drill.report import Report, verdict
from bicoastal.twin.pace import FAST
from tests.drill.reports import report


@dataclass
class Theater:
    """Stages that cost nothing, and what was played on each."""

    fails: set[str] = field(default_factory=set)
    """Experiments whose stage cannot be set."""
    breaks: set[str] = field(default_factory=set)
    unsteady: set[str] = field(default_factory=set)
    """Those that find no steady state where another one was before."""
    stages: list[list[str]] = field(default_factory=list)
    open: int = 0

    def stage(self, *_: object) -> Any:
        theater = self

        class Stage:
            def __enter__(self) -> list[str]:
                if theater.fails:
                    theater.fails.pop()
                    raise SystemFault("no port is free")
                theater.open += 1
                assert theater.open == 1, "one at a time"
                theater.stages.append([])
                return theater.stages[-1]

            def __exit__(self, *_: object) -> None:
                theater.open -= 1

        return Stage()

    def play(self, experiment: Experiment, stage: list[str], **_: object) -> Report:
        before = list(stage)
        stage.append(experiment.name)
        if experiment.name in self.unsteady and before:
            return report(scenario=experiment.name, sentences=(Said("given", "it is calm", False),))
        held = experiment.name not in self.breaks
        return report(scenario=experiment.name, sentences=(Said("then", "it holds", held),))


def experiment(name: str, **more: Any) -> Experiment:
    return Experiment(name, name, given=(), when=(), afterwards=(), then=(), **more)


@pytest.fixture
def theater(monkeypatch: pytest.MonkeyPatch) -> Theater:
    made = Theater()
    monkeypatch.setattr(drill, "_stage", made.stage)
    monkeypatch.setattr(drill, "play", made.play)
    return made


def played(*experiments: Experiment) -> dict[str, str]:
    def script(_: Experiment) -> Any:
        return cast("Any", SimpleNamespace())

    ended = several(experiments, script, FAST, seed=1, tell=lambda _: None)
    return {one.scenario: verdict(one) for one in ended}


A, B, C = (experiment(name, traceless=True) for name in ("a", "b", "c"))
ALONE = experiment("alone")
ASKS = experiment("asks", traceless=True, asks={"instances": {"max": 3}})


def test_who_leaves_no_trace_shares_a_stage_with_who_comes_next(theater: Theater) -> None:
    assert played(A, B, ALONE, C, ASKS) == dict.fromkeys(["a", "b", "alone", "c", "asks"], "held")
    assert theater.stages == [["a", "b", "alone"], ["c"], ["asks"]]
    assert theater.open == 0


def test_after_one_that_broke_comes_a_new_stage(theater: Theater) -> None:
    theater.breaks = {"a"}
    assert played(A, B, C) == {"a": "broken", "b": "held", "c": "held"}
    assert theater.stages == [["a"], ["b", "c"]]


def test_who_finds_no_steady_state_where_others_were_gets_a_stage_of_his_own(theater: Theater) -> None:
    theater.unsteady = {"b"}
    assert played(A, B, C) == {"a": "held", "b": "held", "c": "held"}
    assert theater.stages == [["a", "b"], ["b", "c"]]


def test_one_that_cannot_be_played_ends_no_other(theater: Theater) -> None:
    theater.fails = {"once"}
    assert played(ALONE, A, B) == {"alone": "not rehearsed", "a": "held", "b": "held"}
    theater.fails = {"once"}
    assert played(A, B) == {"a": "not rehearsed", "b": "held"}
    assert theater.open == 0
