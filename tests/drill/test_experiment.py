"""The order of an experiment: nothing is lost before all is steady; what was lost is given back whatever happens."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bicoastal.core.errors import SystemFault
from bicoastal.drill import deeds, experiment
from bicoastal.drill.experiment import Condition, Deed, Experiment, Run, perform
from bicoastal.drill.experiments import EXPERIMENTS
from bicoastal.twin.faults import Act
from tests.drill import made as support


@dataclass
class Play:
    """An experiment that writes down what is done."""

    steady: bool = True
    fails: str = ""
    interrupted: str = ""
    done: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def run(self) -> Run:
        made = Experiment(
            "play",
            "a play",
            given=(Condition("it is calm", lambda _: "" if self.steady else "it is not"),),
            when=(self._deed("lose"), self._deed("operate")),
            afterwards=(self._deed("give back"), self._deed("count")),
            then=(),
        )
        # Deeds of this play use neither stage nor users.
        nobody = cast("Any", None)
        run = Run(made, stage=nobody, users=nobody, operator=nobody, tell=self.told.append)
        perform(run)
        return run

    def _deed(self, name: str) -> Deed:
        def do(_: Run) -> None:
            self.done.append(name)
            if name == self.interrupted:
                raise KeyboardInterrupt
            if name == self.fails:
                raise SystemFault(f"{name} did not work")

        return Deed(name, do)


def test_all_of_it_is_done_in_order() -> None:
    play = Play()
    run = play.run()
    assert play.done == ["lose", "operate", "give back", "count"]
    assert [(said.part, said.held) for said in run.said] == [
        ("given", True), ("when", True), ("when", True), ("afterwards", True), ("afterwards", True),
    ]  # fmt: skip
    assert [phase.name for phase in run.phases] == ["steady state"]


def test_who_interrupts_it_waits_for_nothing_to_come_back() -> None:
    play = Play(interrupted="operate")
    with pytest.raises(KeyboardInterrupt):
        play.run()
    assert play.done == ["lose", "operate"]


def test_nothing_is_lost_where_nothing_is_steady(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(experiment, "STEADY_WITHIN_S", 0.1)
    play = Play(steady=False)
    run = play.run()
    assert play.done == []
    assert [(said.text, said.held, said.found) for said in run.said] == [("it is calm", False, "it is not")]


@pytest.mark.parametrize(("fails", "done"), [
    ("lose", ["lose", "give back", "count"]),
    ("operate", ["lose", "operate", "give back", "count"]),
    ("give back", ["lose", "operate", "give back"]),
])  # fmt: skip
def test_what_was_lost_is_given_back_whatever_fails(fails: str, done: list[str]) -> None:
    play = Play(fails=fails)
    run = play.run()
    assert play.done == done
    (broken,) = [said for said in run.said if not said.held]
    assert broken.found == f"{fails} did not work"


def test_every_experiment_gives_back_what_it_takes_and_ends_steady() -> None:
    for one in EXPERIMENTS.values():
        texts = [deed.text for deed in one.afterwards]
        assert texts[-1] == "the steady state is back"
        assert [deed.text for deed in one.staying().afterwards] == texts[: one.stays]
        assert one.then, "something is promised"


def test_who_was_served_before_a_fault_says_nothing_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A moment after it nobody may have asked yet: then nothing has been measured."""
    monkeypatch.setattr(deeds, "STEADY_S", 0.3)
    monkeypatch.setattr(deeds, "settled", lambda *_: True)
    made = support.run(users=SimpleNamespace(entries=list))
    made.fault = Act("something fails", time.time(), time.time())
    deeds.served(made)
    assert made.served_until >= made.fault.ended + 0.3
