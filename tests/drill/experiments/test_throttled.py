"""A throttled API, judged on what was made up."""

from __future__ import annotations

from bicoastal.drill.experiments import throttled
from tests.drill.made import evidence, run

DEPLOYED = {"code": 0, "seconds": 20.0, "said": []}


def test_deploy_must_end_right_and_leave_nothing_to_do() -> None:
    judge = throttled.judge_deployed
    assert judge(run(notes={"deploy": DEPLOYED, "plan_empty": True}), evidence())[0]
    assert not judge(run(notes={"deploy": {**DEPLOYED, "code": 3}, "plan_empty": True}), evidence())[0]
    assert not judge(run(notes={"deploy": DEPLOYED, "plan_empty": False}), evidence())[0]
    assert not judge(run(notes={"deploy": DEPLOYED}), evidence())[0]
    assert not judge(run(), evidence())[0]


def test_without_calls_that_met_a_fault_nothing_was_shown() -> None:
    assert throttled.judge_met(run(notes={"calls": 300, "calls_that_met_a_fault": 60}), evidence())[0]
    assert not throttled.judge_met(run(notes={"calls": 300, "calls_that_met_a_fault": 0}), evidence())[0]
    assert not throttled.judge_met(run(), evidence())[0]
