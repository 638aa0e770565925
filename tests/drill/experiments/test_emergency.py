"""Emergency access, judged on what was made up."""

from __future__ import annotations

from typing import Any

import pytest

from bicoastal.drill.experiments import emergency
from tests.drill.made import evidence, run

DENIED = {"the session": True, "a command": True}
NOTES: dict[str, Any] = {
    "refused_before": DENIED,
    "refused_while_open": {"a command": True},
    "refused_after": DENIED,
    "typed": {"code": 0, "said": '{"region": "us-east-1"}', "on_it": True},
    "closed_after_s": 31.0,
    "session_ended": "the session is over: the session was terminated",
    "replaced": True,
    "alarm": "emergency-access-us-east-1",
    "trail": ["StartAutomationExecution", "StartSession"],
    "logged": True,
}
JUDGES = (
    emergency.judge_denied,
    emergency.judge_used,
    emergency.judge_end,
    emergency.judge_replaced,
    emergency.judge_records,
)


def judged(judge: Any, **changes: object) -> tuple[bool, str]:
    found: tuple[bool, str] = judge(run(notes={**NOTES, **changes}), evidence())
    return found


@pytest.mark.parametrize("judge", JUDGES)
def test_all_that_was_promised_holds_and_nothing_does_where_nobody_looked(judge: Any) -> None:
    assert judged(judge)[0]
    assert not judge(run(), evidence())[0]


def test_one_way_in_is_one_too_many() -> None:
    for note, part in (("refused_before", "before"), ("refused_after", "after")):
        held, said = judged(emergency.judge_denied, **{note: {"the session": True, "a command": False}})
        assert (held, said) == (False, f"{part} AWS allowed a command")
    held, said = judged(emergency.judge_denied, refused_while_open={"a command": False})
    assert (held, said) == (False, "while it was open AWS allowed a command")


def test_the_line_must_have_run_on_that_server() -> None:
    assert not judged(emergency.judge_used, typed={"code": 1, "said": "", "on_it": True})[0]
    assert not judged(emergency.judge_used, typed={"code": 0, "said": "elsewhere", "on_it": False})[0]


def test_it_ends_before_the_last_schedule_and_with_the_session() -> None:
    """Seven minutes at the fast pace are 42 seconds, and five more are the machine's."""
    assert judged(emergency.judge_end, closed_after_s=46.9)[0]
    assert not judged(emergency.judge_end, closed_after_s=47.1)[0]
    assert not judged(emergency.judge_end, session_ended="the session's channel is gone")[0]


def test_records_are_the_responder_s_own() -> None:
    assert judged(emergency.judge_records, trail=["StartAutomationExecution"]) == (
        False,
        "the trail has no StartSession of the responder",
    )
    assert not judged(emergency.judge_records, logged=False)[0]
