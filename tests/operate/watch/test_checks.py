"""What follows from votes and alarms, by Route 53's rules; and what does not follow."""

from __future__ import annotations

from typing import Any

import pytest

from bicoastal.operate.watch.checks import Check, Definitions, judged

EAST = "us-east-1"


def defined(**configurations: dict[str, Any]) -> Definitions:
    """Each check under its own name."""
    return Definitions({name: name for name in configurations}, configurations)


def endpoint(*, inverted: bool = False) -> dict[str, Any]:
    return {"Type": "HTTPS", "ResourcePath": "/healthz", "FullyQualifiedDomainName": "x", "Inverted": inverted}


def on_alarm(**more: Any) -> dict[str, Any]:
    return {"Type": "CLOUDWATCH_METRIC", "AlarmIdentifier": {"Region": EAST, "Name": "full"}, **more}


def healthy(found: list[Check]) -> dict[str, bool | None]:
    return {check.name: check.healthy for check in found}


@pytest.mark.parametrize(("good", "expected"), [(3, True), (1, True), (0, False)])
def test_an_endpoint_is_healthy_while_more_than_18_percent_say_so(good: int, expected: bool) -> None:
    votes = {"a": [True] * good + [False] * (3 - good)}
    (found,) = judged(defined(a=endpoint()), votes, {})
    assert (found.healthy, found.votes) == (expected, (good, 3))
    (found,) = judged(defined(a=endpoint()), {"a": [True] + [False] * 5}, {})
    assert found.healthy is False


def test_an_inverted_one_is_the_other_way_round() -> None:
    assert healthy(judged(defined(a=endpoint(inverted=True)), {"a": [False] * 3}, {})) == {"a": True}


@pytest.mark.parametrize("votes", [{}, {"a": None}, {"a": []}])
def test_without_votes_nothing_is_known(votes: Any) -> None:
    (found,) = judged(defined(a=endpoint(inverted=True)), votes, {})
    assert (found.healthy, found.votes) == (None, None)


def test_a_calculated_one_knows_what_its_children_settle() -> None:
    both = {"Type": "CALCULATED", "HealthThreshold": 2, "ChildHealthChecks": ["a", "b"]}
    either = {**both, "HealthThreshold": 1}
    checks = defined(a=endpoint(), b=endpoint(), both=both, either=either)
    assert healthy(judged(checks, {"a": [True], "b": [True]}, {}))["both"] is True
    # One that is not known settles nothing where it would matter.
    found = healthy(judged(checks, {"a": [True]}, {}))
    assert (found["both"], found["either"]) == (None, True)
    found = healthy(judged(checks, {"a": [False]}, {}))
    assert (found["both"], found["either"]) == (False, None)


@pytest.mark.parametrize(
    ("state", "more", "expected"),
    [
        ("OK", {}, True),
        ("ALARM", {}, False),
        ("ALARM", {"Inverted": True}, True),
        ("INSUFFICIENT_DATA", {"InsufficientDataHealthStatus": "Healthy"}, True),
        ("INSUFFICIENT_DATA", {"InsufficientDataHealthStatus": "LastKnownStatus"}, None),
        (None, {}, None),
    ],
)
def test_one_on_an_alarm_follows_it(state: str | None, more: dict[str, Any], expected: bool | None) -> None:
    alarms = {(EAST, "full"): state} if state else {}
    assert healthy(judged(defined(a=on_alarm(**more)), {}, alarms)) == {"a": expected}
