"""A responder gets in with a code, for some minutes, by one command; before and after that, and otherwise, never."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ClientError

from bicoastal.aws.session import Session
from bicoastal.twin.automation.channel import Client
from tests.support.mfa import person
from tests.support.running import EAST, PREFIX, Running, until

ROLE = f"arn:aws:iam::111122223333:role/{PREFIX}-emergency-responder-{EAST}"
DOCUMENT, TAG = f"{PREFIX}-emergency-session", "bicoastal:emergency-access"
WHY = ("--reason", "INC-42: requests hang")


@dataclass(frozen=True)
class Responder:
    """Ann, signed in."""

    twin: Running
    session: Session

    def types(self, *words: str, code: int = 0) -> str:
        """`bicoastal access`; returns all that it says."""
        done = self.twin.bicoastal("access", *words)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def enters(self, instance: str) -> Any:
        """What StartSession answers. Raises ClientError."""
        return self.session.client("ssm", EAST).start_session(Target=instance, DocumentName=DOCUMENT)

    def is_denied(self, instance: str) -> None:
        """No session, and no command."""
        with pytest.raises(ClientError, match="AccessDenied"):
            self.enters(instance)
        with pytest.raises(ClientError, match="AccessDenied"):
            self.session.client("ssm", EAST).send_command(
                DocumentName="AWS-RunShellScript", InstanceIds=[instance], Parameters={"commands": ["id"]}
            )


@pytest.fixture(scope="module")
def ann(twin: Running) -> Responder:
    values = twin.environment
    root = Session.at(values["AWS_ENDPOINT_URL"], values["AWS_ACCESS_KEY_ID"], values["AWS_SECRET_ACCESS_KEY"])
    variables = person(values["AWS_ENDPOINT_URL"], root, "ann", ROLE).assumes(ROLE)
    session = Session.at(values["AWS_ENDPOINT_URL"], *variables.values(), attempts=2)
    return Responder(replace(twin, environment={**values, **variables}), session)


def tagged(twin: Running, instance: str) -> bool:
    filters = [{"Name": "resource-id", "Values": [instance]}, {"Name": "key", "Values": [TAG]}]
    return bool(twin.client("ec2").describe_tags(Filters=filters)["Tags"])


def messages(twin: Running, group: str) -> list[Any]:
    pages = twin.client("logs").get_paginator("filter_log_events").paginate(logGroupName=f"/{PREFIX}/{group}")
    return [json.loads(event["message"]) for page in pages for event in page["events"]]


def replaced(twin: Running, *instances: str) -> bool:
    serving = twin.in_service(EAST)
    return not {*instances} & {*serving} and len(serving) >= 2


@pytest.fixture(scope="module")
def visited() -> list[str]:
    """Instances that were open: each of them is replaced."""
    return []


def test_what_is_not_allowed_is_refused_with_reasons(twin: Running, ann: Responder) -> None:
    instance = twin.in_service(EAST)[0]
    assert "needs a reason" in ann.types("open", instance, "--for", "5m", code=1)
    assert "more than the 60 that the file allows" in ann.types("open", instance, "--for", "2h", *WHY, code=1)
    assert "no time" in ann.types("open", instance, "--for", "soon", *WHY, code=2)
    unknown = ann.types("open", "i-0123456789abcdef0", "--for", "5m", *WHY, code=1)
    assert "There is no instance" in unknown
    assert instance in unknown
    assert "is not open" in ann.types("close", instance, code=1)
    ann.is_denied(instance)


def test_open_for_some_minutes_used_and_closed_by_itself(twin: Running, ann: Responder, visited: list[str]) -> None:
    instance = twin.in_service(EAST)[0]
    visited.append(instance)
    said = json.loads(ann.types("open", instance, "--for", "5m", *WHY, "--format", "json").partition("\n}")[0] + "\n}")
    assert (said["minutes"], said["reason"], said["who"].rpartition("/")[2]) == (5, WHY[1], "ann")
    assert said["command"].startswith(f"aws ssm start-session --target {instance}")
    entered = ann.enters(instance)
    with Client(entered["StreamUrl"], entered["TokenValue"]) as shell:
        assert shell.run("cat /opt/bicoastal/etc/kit.json")[1].count(EAST)
        assert "is open already" in ann.types("open", instance, "--for", "5m", *WHY, code=1)
        assert f"{instance}, until" in ann.types("list")
        assert shell.await_end(90) == "the session is over: the session was terminated"
    until("the tag is gone", lambda: not tagged(twin, instance))
    ann.is_denied(instance)
    assert ann.types("list").count("nothing is open") == 2
    until("the alarm rings", partial(_rings, twin), 30)
    trail = messages(twin, "trail")
    by_ann = [event["eventName"] for event in trail if event["userIdentity"]["arn"].endswith("/ann")]
    assert {"StartAutomationExecution", "StartSession"} <= set(by_ann)
    typed = [line for event in messages(twin, "sessions") for line in event["sessionData"]]
    assert any("kit.json" in line for line in typed)


def _rings(twin: Running) -> bool:
    name = f"{PREFIX}-emergency-access-{EAST}"
    (alarm,) = twin.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"]
    return str(alarm["StateValue"]) == "ALARM"


def test_closed_early(twin: Running, ann: Responder, visited: list[str]) -> None:
    instance = next(one for one in twin.in_service(EAST) if one not in visited)
    visited.append(instance)
    ann.types("open", instance, "--for", "60m", *WHY)
    other = twin.client("ssm").start_session(Target=instance, DocumentName=DOCUMENT)["SessionId"]
    mine = ann.enters(instance)["SessionId"]
    armed = json.loads(twin.bicoastal("status", "--format", "json").stdout)["standing"]["regions"][EAST]
    assert [(item["instance"], item["sessions"]) for item in armed["emergency_access"]] == [(instance, 2)]
    ssm = ann.session.client("ssm", EAST)
    assert ssm.terminate_session(SessionId=mine)["SessionId"] == mine
    with pytest.raises(ClientError, match="AccessDenied"):
        ssm.terminate_session(SessionId=other)
    assert "is closed: 1 session is ended" in ann.types("close", instance)
    assert not tagged(twin, instance)
    ann.is_denied(instance)
    past = ssm.describe_sessions(State="History", Filters=[{"key": "SessionId", "value": other}])["Sessions"]
    assert [item["Status"] for item in past] == ["Terminated"]
    until("those that were open are replaced", partial(replaced, twin, *visited), 120)
