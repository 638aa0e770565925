"""A responder gets in with a code, for some minutes, by one command; before and after that, and otherwise, never."""

from __future__ import annotations

import json
from collections.abc import Iterator
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


def is_given_up(twin: Running, instance: str) -> bool:
    """Whether its fleet is to replace it."""
    healthy = {item["InstanceId"] for item in twin.fleet(EAST)["Instances"] if item["HealthStatus"] == "Healthy"}
    return instance not in healthy


def replaced(twin: Running, instance: str) -> bool:
    """Whether others serve in its place."""
    serving = twin.in_service(EAST)
    return instance not in serving and bool(serving)


@dataclass(frozen=True)
class Opened:
    """An instance that was opened for five minutes, and a session on it."""

    instance: str
    said: Any
    shell: Client


@pytest.fixture(scope="module")
def opened(twin: Running, ann: Responder) -> Iterator[Opened]:
    instance = twin.in_service(EAST)[0]
    said = json.loads(ann.types("open", instance, "--for", "5m", *WHY, "--format", "json").partition("\n}")[0] + "\n}")
    entered = ann.enters(instance)
    with Client(entered["StreamUrl"], entered["TokenValue"]) as shell:
        yield Opened(instance, said, shell)


@pytest.fixture(scope="module")
def early() -> list[str]:
    """The instance that was closed early."""
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


def test_open_for_some_minutes_and_used(ann: Responder, opened: Opened) -> None:
    said = opened.said
    assert (said["minutes"], said["reason"], said["who"].rpartition("/")[2]) == (5, WHY[1], "ann")
    assert said["command"].startswith(f"aws ssm start-session --target {opened.instance}")
    assert opened.shell.run("cat /opt/bicoastal/etc/kit.json")[1].count(EAST)
    assert "is open already" in ann.types("open", opened.instance, "--for", "5m", *WHY, code=1)
    assert f"{opened.instance}, until" in ann.types("list")


def _rings(twin: Running) -> bool:
    name = f"{PREFIX}-emergency-access-{EAST}"
    (alarm,) = twin.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"]
    return str(alarm["StateValue"]) == "ALARM"


def test_another_one_is_closed_early(twin: Running, ann: Responder, opened: Opened, early: list[str]) -> None:
    instance = next(one for one in twin.in_service(EAST) if one != opened.instance)
    early.append(instance)
    ann.types("open", instance, "--for", "60m", *WHY)
    other = twin.client("ssm").start_session(Target=instance, DocumentName=DOCUMENT)["SessionId"]
    mine = ann.enters(instance)["SessionId"]
    armed = json.loads(twin.bicoastal("status", "--format", "json").stdout)["standing"]["regions"][EAST]
    assert (instance, 2) in [(item["instance"], item["sessions"]) for item in armed["emergency_access"]]
    ssm = ann.session.client("ssm", EAST)
    assert ssm.terminate_session(SessionId=mine)["SessionId"] == mine
    with pytest.raises(ClientError, match="AccessDenied"):
        ssm.terminate_session(SessionId=other)
    assert "is closed: 1 session is ended" in ann.types("close", instance)
    assert not tagged(twin, instance)
    ann.is_denied(instance)
    past = ssm.describe_sessions(State="History", Filters=[{"key": "SessionId", "value": other}])["Sessions"]
    assert [item["Status"] for item in past] == ["Terminated"]
    assert is_given_up(twin, instance)


def test_closed_by_itself(twin: Running, ann: Responder, opened: Opened, early: list[str]) -> None:
    assert opened.shell.await_end(90) == "the session is over: the session was terminated"
    until("the tag is gone", lambda: not tagged(twin, opened.instance))
    ann.is_denied(opened.instance)
    assert ann.types("list").count("nothing is open") == 2
    until("the alarm rings", partial(_rings, twin), 30)
    trail = messages(twin, "trail")
    by_ann = [event["eventName"] for event in trail if event["userIdentity"]["arn"].endswith("/ann")]
    assert {"StartAutomationExecution", "StartSession"} <= set(by_ann)
    typed = [line for event in messages(twin, "sessions") for line in event["sessionData"]]
    assert any("kit.json" in line for line in typed)
    until("it is to be replaced", partial(is_given_up, twin, opened.instance))
    until("the one that was closed early is replaced", partial(replaced, twin, *early), 120)
