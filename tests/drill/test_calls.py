"""Which calls of an operation the path waited for, by the gateway's record alone."""

from __future__ import annotations

from typing import Any

from bicoastal.drill.calls import Call, forbidden, of_operator
from tests.drill.entries import EAST, WEST

KEY = "AKIAOPERATOR"


def seen(at: float, seconds: float, region: str, *, service: str = "rds", outcome: str = "ok", key: str = KEY) -> Any:
    return {
        "number": 1, "at": at, "seconds": seconds, "service": service, "region": region, "action": "Describe",
        "outcome": outcome, "access_key_id": key,
    }  # fmt: skip


def calls(*record: Any) -> list[Call]:
    return of_operator(record, [KEY])


def test_others_calls_are_nobodys_here() -> None:
    assert calls(seen(1, 0.1, WEST, key="AKIADRILL"), seen(2, 0.1, WEST)) == [
        Call(2, 0.1, "rds", WEST, "Describe", "ok")
    ]


def test_a_look_beside_the_path_is_none_that_it_waited_for() -> None:
    record = calls(
        seen(0, 60, EAST, outcome="hang"), *(seen(at, 0.1, WEST) for at in (0.1, 1.0, 2.0, 5.0)), seen(60.1, 0.1, WEST)
    )
    assert forbidden(record, EAST) == []


def test_a_call_that_the_path_waited_for_is_found() -> None:
    record = calls(seen(0, 0.1, WEST), seen(0.2, 30, EAST, outcome="hang"), seen(30.3, 0.1, WEST))
    assert [call.region for call in forbidden(record, EAST)] == [EAST]


def test_a_call_after_which_nothing_was_asked_held_up_no_step() -> None:
    assert forbidden(calls(seen(0, 0.1, WEST), seen(0.2, 30, EAST, outcome="hang")), EAST) == []


def test_a_global_control_plane_is_forbidden_however_fast_it_says_no() -> None:
    record = calls(seen(0, 0.001, EAST, service="route53", outcome="refuse"), seen(0.1, 0.1, WEST))
    assert [call.service for call in forbidden(record, EAST)] == ["route53"]


def test_the_survivors_calls_are_allowed_however_slow() -> None:
    assert forbidden(calls(seen(0, 30, WEST), seen(30.1, 1, WEST)), EAST) == []
