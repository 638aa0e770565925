"""Emergency access by the deployment's own documents, which the automation controller runs; no server is behind it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from bicoastal.aws.session import Session
from bicoastal.cli.access import armed_data, told_armed
from bicoastal.core.errors import Refused, SystemFault
from bicoastal.operate.access import (
    Armed,
    close_access,
    look,
    minutes_allowed,
    open_access,
    reason_given,
    session_line,
)
from bicoastal.operate.subject import Subject
from tests.support.cloudformation import until
from tests.twin.automation.conftest import HOME, STANDBY, Room, room_with

TAG = "bicoastal:emergency-access"
PREFIX = "orders-production"
WHY = "INC-42: requests hang"


@pytest.fixture(scope="module")
def room() -> Iterator[Room]:
    """Deployed in the home region alone."""
    with room_with(f"access/{HOME}") as (made, _):
        yield made


@pytest.fixture
def session(room: Room) -> Session:
    endpoint = room.ground.api.endpoint
    return Session.at(endpoint.url, endpoint.access_key_id, endpoint.secret_access_key, attempts=2)


@dataclass
class Silent:
    """A client of a region that is lost."""

    region: str
    meta: Any = None
    asked: list[str] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        raise EndpointConnectionError(endpoint_url=f"https://{self.region}.amazonaws.com/{name}")


class OneCoast(Session):
    """The other region does not answer."""

    lost = STANDBY

    def client(self, service: str, region: str) -> Any:
        """As a Session does."""
        return Silent(region) if region == self.lost else super().client(service, region)


@pytest.fixture
def one_coast(room: Room) -> Session:
    endpoint = room.ground.api.endpoint
    return OneCoast.at(endpoint.url, endpoint.access_key_id, endpoint.secret_access_key, attempts=1)


def instance(room: Room, region: str = HOME, **tags: str) -> str:
    own = {"application": "orders", "environment": "production", "aws:autoscaling:groupName": "fleet"}
    return room.launch(region, host=False, **{**own, **tags})


def opened(session: Session, subject: Subject, id_: str, minutes: int = 60) -> Armed:
    return open_access(session, subject, id_, minutes, WHY, lambda _: None)


def executions(room: Room) -> int:
    found = room.client("ssm").describe_automation_executions(MaxResults=50)
    return len(found["AutomationExecutionMetadataList"])


@pytest.mark.parametrize("reason", ["", "  ", "short", "x" * 201, "it hangs; $(reboot)", "es h\u00e4ngt seit Stunden"])
def test_a_reason_is_needed_that_can_be_recorded(reason: str) -> None:
    with pytest.raises(Refused, match="Nothing was opened"):
        reason_given(reason)


def test_a_time_is_one_of_the_document_s() -> None:
    for minutes in (5, 30, 60):
        minutes_allowed(minutes, 60)
    with pytest.raises(Refused, match="90 minutes are more than the 60"):
        minutes_allowed(90, 60)
    with pytest.raises(Refused, match=r"One of 5, 10, 15, 30, 45, 60 minutes"):
        minutes_allowed(20, 60)


def test_an_open_instance_says_who_why_and_until_when_and_is_not_opened_again(
    room: Room, session: Session, subject: Subject
) -> None:
    id_ = instance(room)
    steps: list[str] = []
    armed = open_access(session, subject, id_, 60, WHY, steps.append)
    assert (armed.region, armed.instance, armed.reason, armed.minutes) == (HOME, id_, WHY, 60)
    assert armed.who.endswith(":root")
    assert armed.left_s is not None
    assert 3500 < armed.left_s <= 3600
    assert steps[0].startswith(f"{PREFIX}-open-access runs in {HOME}: {armed.execution}")
    document = f"{PREFIX}-emergency-session"
    assert session_line(subject, armed) == (
        f"aws ssm start-session --target {id_} --document-name {document} --region {HOME}"
    )
    room.client("ssm").start_session(Target=id_, DocumentName=document)
    before = executions(room)
    with pytest.raises(Refused, match=rf"open already, until .*{WHY}"):
        opened(session, subject, id_)
    assert executions(room) == before
    found = look(session, subject)
    (mine,) = [item for item in found[HOME].armed or () if item.instance == id_]
    assert (mine.execution, mine.sessions) == (armed.execution, 1)
    assert found[STANDBY].armed == ()
    assert f"{id_}, until " in told_armed(mine)
    assert "1 session: " in told_armed(mine)
    assert armed_data(mine)["until"] == mine.until.isoformat() if mine.until else None


def test_it_ends_by_itself(room: Room, session: Session, subject: Subject) -> None:
    id_ = instance(room)
    opened(session, subject, id_, 5)
    for _ in until("it is closed"):
        if id_ not in [item.instance for item in look(session, subject)[HOME].armed or ()]:
            break


def test_closed_early_the_tag_and_the_sessions_are_gone(room: Room, session: Session, subject: Subject) -> None:
    """No group has this instance, so that it cannot be replaced: that is said, too."""
    id_ = instance(room)
    opened(session, subject, id_)
    room.client("ssm").start_session(Target=id_, DocumentName=f"{PREFIX}-emergency-session")
    with pytest.raises(SystemFault, match=r"is closed, but not all .* at ReplaceInstance"):
        close_access(session, subject, id_, lambda _: None)
    assert id_ not in [item.instance for item in look(session, subject)[HOME].armed or ()]
    active = room.client("ssm").describe_sessions(State="Active", Filters=[{"key": "Target", "value": id_}])
    assert active["Sessions"] == []
    with pytest.raises(Refused, match="is not open"):
        close_access(session, subject, id_, lambda _: None)


def test_only_running_instances_of_the_fleet_are_opened(room: Room, session: Session, subject: Subject) -> None:
    ours, stopped = instance(room), instance(room)
    room.client("ec2").stop_instances(InstanceIds=[stopped])
    tags = {"application": "orders", "environment": "production"}
    strangers = {
        "i-0123456789abcdef0": "There is no instance",
        "not-an-id": "There is no instance",
        instance(room, application="shop"): "no instance of orders-production, but of shop",
        instance(room, environment="test"): "but of orders \\(test\\)",
        room.launch(host=False, **tags): "not of its fleet",
        room.launch(host=False): "no instance of orders-production. Nothing",
        stopped: "is stopp",
    }
    before = executions(room)
    for id_, why in strangers.items():
        with pytest.raises(Refused, match=why) as refusal:
            opened(session, subject, id_)
        assert ours in str(refusal.value), "what can be opened is named"
    assert executions(room) == before


def test_what_is_deployed_has_the_last_word(room: Room, session: Session, subject: Subject) -> None:
    with pytest.raises(Refused, match="as it is deployed in us-east-1, does not take this") as refusal:
        opened(session, subject, instance(room), 90)
    assert "bicoastal plan" in str(refusal.value)
    with pytest.raises(Refused, match="not deployed there"):
        opened(session, subject, instance(room, STANDBY))


def test_who_may_not_is_told_which_role_may(room: Room, session: Session, subject: Subject) -> None:
    iam = room.client("iam")
    iam.create_user(UserName="reader")
    allowed = {"Effect": "Allow", "Action": "ec2:DescribeInstances", "Resource": "*"}
    iam.put_user_policy(
        UserName="reader", PolicyName="own", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": allowed})
    )
    key = iam.create_access_key(UserName="reader")["AccessKey"]
    reader = room.ground.api.session({**key, "SessionToken": ""})
    id_ = instance(room)
    with pytest.raises(Refused, match=f"Assume {PREFIX}-emergency-responder-{HOME}, with MFA"):
        opened(reader, subject, id_)
    opened(session, subject, id_)
    (mine,) = [item for item in look(reader, subject)[HOME].armed or () if item.instance == id_]
    assert (mine.who, mine.until, mine.sessions) == ("", None, None)
    assert "AccessDenied" in mine.trouble


def test_a_tag_that_was_set_by_hand_is_not_taken_for_the_document_s(
    room: Room, session: Session, subject: Subject
) -> None:
    id_ = instance(room)
    room.client("ec2").create_tags(Resources=[id_], Tags=[{"Key": TAG, "Value": "me"}])
    (mine,) = [item for item in look(session, subject)[HOME].armed or () if item.instance == id_]
    assert mine.until is None
    assert "nobody knows until when" in told_armed(mine)
    assert "nothing closes it" in told_armed(mine)


def test_a_region_that_is_silent_is_unknown_and_holds_nothing_up(
    room: Room, one_coast: Session, subject: Subject
) -> None:
    found = look(one_coast, subject)
    assert found[STANDBY].armed is None
    assert "no answer" in found[STANDBY].why
    assert found[HOME].armed is not None
    assert opened(one_coast, subject, instance(room)).region == HOME
    with pytest.raises(SystemFault, match="no answer"):
        opened(one_coast, subject, "i-0123456789abcdef0")
