"""The scripts of the Automation documents, run as Automation runs them: their handler, boto3, and an endpoint."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bicoastal.blueprint.emergency_tag import EMERGENCY_TAG
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


def test_two_schedules_close_the_instance_should_the_document_not_live_to(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {
        f"POST /schedules/{name}-1111-2222": lambda _: as_json({"ScheduleArn": "arn"}) for name in ("close", "untag")
    }
    payload = {
        "InstanceId": INSTANCE,
        "Minutes": "30",
        "Execution": "1111-2222",
        "CloseDocument": "orders-production-close-access",
        "TagKey": EMERGENCY_TAG,
        "Group": "orders-production-break-glass",
        "RoleArn": "arn:aws:iam::111122223333:role/orders-production-break-glass-timer-us-east-1",
        "Partition": "aws",
    }
    before = datetime.now(UTC).replace(microsecond=0)
    with endpoint(answers) as aws:
        for name, value in aws.environment.items():
            monkeypatch.setenv(name, value)
        assert handler("OpenAccessDocument", "Schedule")(payload) == {"Made": ["close", "untag"]}
    after = datetime.now(UTC)
    wanted = {
        "close": (
            31,
            "ssm:startAutomationExecution",
            {"DocumentName": "orders-production-close-access", "Parameters": {"InstanceId": [INSTANCE]}},
        ),
        "untag": (32, "ec2:deleteTags", {"Resources": [INSTANCE], "Tags": [{"Key": EMERGENCY_TAG}]}),
    }
    for name, (minutes, call, request) in wanted.items():
        (asked,) = aws.asked(f"POST /schedules/{name}-1111-2222")
        match = re.fullmatch(r"at\((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\)", asked["ScheduleExpression"])
        assert match is not None
        at = datetime.fromisoformat(match.group(1)).replace(tzinfo=UTC)
        assert before + timedelta(minutes=minutes) <= at <= after + timedelta(minutes=minutes)
        assert asked["Target"]["Arn"] == f"arn:aws:scheduler:::aws-sdk:{call}"
        assert json.loads(asked["Target"]["Input"]) == request
        assert (asked["GroupName"], asked["Target"]["RoleArn"]) == (payload["Group"], payload["RoleArn"])
        assert asked["ActionAfterCompletion"] == "DELETE"


def test_the_schedule_gets_what_it_asks_for() -> None:
    content = plain(STACKS["access/us-east-1"].resources["OpenAccessDocument"].get("Content"))
    (inputs,) = [item["inputs"] for item in steps(content) if item["name"] == "Schedule"]
    assert set(inputs["InputPayload"]) == set(re.findall(r'events\["(\w+)"\]', inputs["Script"]))
    assert inputs["InputPayload"]["RoleArn"] == "${access/us-east-1/BreakGlassTimerRole.Arn}"
    assert inputs["InputPayload"]["Group"] == "${access/us-east-1/BreakGlassSchedules}"


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
        payload = {"InstanceId": INSTANCE, "TagKey": EMERGENCY_TAG}
        assert handler("CloseAccessDocument", "Look")(payload) == {"State": state}
    (asked,) = aws.asked("DescribeInstances")
    filters = {asked[f"Filter.{n}.Name"]: asked[f"Filter.{n}.Value.1"] for n in (1, 2)}
    assert filters == {"instance-id": INSTANCE, "tag-key": EMERGENCY_TAG}


@pytest.mark.parametrize(("found", "state"), [("<item><instancesSet/></item>", "there"), ("", "gone")])
def test_an_instance_that_is_gone_is_closed_already(monkeypatch: pytest.MonkeyPatch, found: str, state: str) -> None:
    xml = f"<DescribeInstancesResponse><reservationSet>{found}</reservationSet></DescribeInstancesResponse>"
    with endpoint({"DescribeInstances": lambda _: (200, xml.encode())}) as aws:
        for name, value in aws.environment.items():
            monkeypatch.setenv(name, value)
        assert handler("OpenAccessDocument", "FindInstance")({"InstanceId": INSTANCE}) == {"State": state}
    (asked,) = aws.asked("DescribeInstances")
    assert asked["Filter.1.Value.1"] == INSTANCE
    states = {value for name, value in asked.items() if name.startswith("Filter.2.Value.")}
    assert states == {"pending", "running", "stopping", "stopped"}


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
