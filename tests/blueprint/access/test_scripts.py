"""The scripts of the Automation documents, run as Automation runs them: their handler, boto3, and an endpoint."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.automation import steps
from tests.support.aws_endpoint import as_json, endpoint
from tests.support.deployed import deployed, plain
from tests.support.specs import spec

Json = Any
STACKS = deployed(spec()).stacks
INSTANCE = "i-0123456789abcdef0"


def handler(document: str, step: str, kind: str = "access") -> Callable[[Json], Json]:
    """The step's function, from the finished template."""
    content = plain(STACKS[f"{kind}/us-east-1"].resources[document].get("Content"))
    (inputs,) = [item["inputs"] for item in steps(content) if item["name"] == step]
    namespace: dict[str, Any] = {}
    exec(inputs["Script"], namespace)
    function = namespace[inputs["Handler"]]
    return lambda events: function(events, None)


def test_the_deadlines_are_a_minute_and_two_after_the_document_closes() -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    answer = handler("OpenAccessDocument", "Deadlines")({"Minutes": "30"})
    after = datetime.now(UTC)
    for name, minutes in (("Close", 31), ("Untag", 32)):
        match = re.fullmatch(r"at\((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\)", answer[name])
        assert match is not None
        at = datetime.fromisoformat(match.group(1)).replace(tzinfo=UTC)
        assert before + timedelta(minutes=minutes) <= at <= after + timedelta(minutes=minutes)


def test_every_session_is_ended_also_beyond_the_first_page(monkeypatch: pytest.MonkeyPatch) -> None:
    def describe(parameters: Json) -> tuple[int, bytes]:
        if "NextToken" in parameters:
            return as_json({"Sessions": [{"SessionId": "bob-2"}]})
        return as_json({"Sessions": [{"SessionId": "ann-1"}], "NextToken": "more"})

    answers = {"DescribeSessions": describe, "TerminateSession": as_json}
    with endpoint(answers) as aws:
        for name, value in aws.environment.items():
            monkeypatch.setenv(name, value)
        answer = handler("CloseAccessDocument", "EndSessions")({"InstanceId": INSTANCE})
    assert answer == {"Ended": ["ann-1", "bob-2"]}
    assert [asked["SessionId"] for asked in aws.asked("TerminateSession")] == ["ann-1", "bob-2"]
    for asked in aws.asked("DescribeSessions"):
        assert (asked["State"], asked["Filters"]) == ("Active", [{"key": "Target", "value": INSTANCE}])


@pytest.mark.parametrize(
    ("found", "state"),
    [("<item><instancesSet/></item>", "open"), ("", "closed")],
)
def test_an_instance_without_the_tag_is_left_alone(monkeypatch: pytest.MonkeyPatch, found: str, state: str) -> None:
    xml = f"<DescribeInstancesResponse><reservationSet>{found}</reservationSet></DescribeInstancesResponse>"
    with endpoint({"DescribeInstances": lambda _: (200, xml.encode())}) as aws:
        for name, value in aws.environment.items():
            monkeypatch.setenv(name, value)
        payload = {"InstanceId": INSTANCE, "TagKey": "bicoastal:emergency-access"}
        assert handler("CloseAccessDocument", "Look")(payload) == {"State": state}
    (asked,) = aws.asked("DescribeInstances")
    filters = {asked[f"Filter.{n}.Name"]: asked[f"Filter.{n}.Value.1"] for n in (1, 2)}
    assert filters == {"instance-id": INSTANCE, "tag-key": "bicoastal:emergency-access"}


def _verdict(monkeypatch: pytest.MonkeyPatch, outcome: bytes) -> Json:
    key = f"bootstrap/{INSTANCE}/outcome"
    with endpoint({f"GET /artifacts/{key}": lambda _: (200, outcome)}) as aws:
        for name, value in aws.environment.items():
            monkeypatch.setenv(name, value)
        run = handler("BootstrapDocument", "RequireSuccess", kind="bootstrap")
        return run({"Bucket": "artifacts", "Key": key})


def test_a_bootstrap_that_succeeded_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _verdict(monkeypatch, b"succeeded\nall went well\n") == {"Verdict": "succeeded"}


def test_a_bootstrap_that_failed_fails_with_the_end_of_its_log(monkeypatch: pytest.MonkeyPatch) -> None:
    log = b"failed with exit code 1\n" + b"x" * 5000 + b"\nrelease command 'migrate': ended with exit code 2\n"
    with pytest.raises(RuntimeError, match=r"failed with exit code 1(?s:.*)migrate': ended with exit code 2") as caught:
        _verdict(monkeypatch, log)
    assert len(str(caught.value)) < 2200, "Automation cuts longer messages"
