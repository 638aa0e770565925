"""Schedules fire when they are due, with the rights of their role, once; at the pace of the twin."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from bicoastal.twin.pace import Pace
from tests.support.cloudformation import until
from tests.twin.automation.conftest import Room, Rooms
from tests.twin.automation.test_executions import role, topics

Json = Any
MINUTES_IN_SECONDS = Pace("of a test", 60)


def schedule(room: Room, name: str, expression: str, target: str, given: Json, **more: Json) -> None:
    room.client("scheduler").create_schedule(
        Name=name,
        ScheduleExpression=expression,
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={
            "Arn": f"arn:aws:scheduler:::aws-sdk:{target}",
            "RoleArn": more.pop("role"),
            "Input": json.dumps(given),
        },
        **more,
    )


def once(minutes: int) -> str:
    at = datetime.now(UTC) + timedelta(minutes=minutes)
    return at.strftime("at(%Y-%m-%dT%H:%M:%S)")


def names(room: Room) -> set[str]:
    return {item["Name"] for item in room.client("scheduler").list_schedules()["Schedules"]}


def test_a_one_time_schedule_calls_any_action_and_is_gone_if_it_was_to_go(rooms: Rooms) -> None:
    room = rooms(pace=MINUTES_IN_SECONDS)
    mine = role(room, "sns:CreateTopic", trusts="scheduler.amazonaws.com")
    schedule(room, "goes", once(2), "sns:createTopic", {"Name": "one"}, role=mine, ActionAfterCompletion="DELETE")
    schedule(room, "stays", once(2), "sns:createTopic", {"Name": "two"}, role=mine)
    schedule(room, "later", once(600), "sns:createTopic", {"Name": "later"}, role=mine)
    began = time.time()
    assert topics(room) == set()
    for _ in until("both"):
        if topics(room) == {"one", "two"} and "goes" not in names(room):
            break
    assert time.time() - began >= 0.5, "not before its time"
    assert names(room) == {"stays", "later"}
    room.client("sns").delete_topic(TopicArn=f"arn:aws:sns:us-east-1:{room.ground.api.endpoint.account}:two")
    room.stop()
    room.start()
    marker = once(1)
    schedule(room, "marker", marker, "sns:createTopic", {"Name": "marker"}, role=mine)
    for _ in until("the marker"):
        if "marker" in topics(room):
            break
    assert "two" not in topics(room), "it has fired once and for all, also for a twin that starts anew"


def test_a_schedule_fires_again_and_again_and_not_while_it_is_disabled(rooms: Rooms) -> None:
    room = rooms(pace=MINUTES_IN_SECONDS)
    mine = role(room, "sns:*", trusts="scheduler.amazonaws.com")
    schedule(room, "often", "rate(1 minute)", "sns:createTopic", {"Name": "often"}, role=mine)
    schedule(room, "never", "rate(1 minute)", "sns:createTopic", {"Name": "never"}, role=mine, State="DISABLED")
    arn = f"arn:aws:sns:us-east-1:{room.ground.api.endpoint.account}:often"
    for _ in range(2):
        for _ in until("its topic"):
            if "often" in topics(room):
                break
        room.client("sns").delete_topic(TopicArn=arn)
    assert "never" not in topics(room)


def test_a_target_is_called_with_the_role_s_rights_until_it_has_them(rooms: Rooms) -> None:
    room = rooms(pace=MINUTES_IN_SECONDS)
    mine = role(room, "sns:ListTopics", trusts="scheduler.amazonaws.com")
    schedule(room, "tries", once(1), "sns:createTopic", {"Name": "one"}, role=mine, ActionAfterCompletion="DELETE")
    denied = room.ground.home.cloud / "calls.jsonl"
    for _ in until("the first refusal"):
        calls = [json.loads(line) for line in denied.read_text().splitlines()]
        if any(call["action"] == "CreateTopic" and "Authorization" in call["outcome"] for call in calls):
            break
    assert topics(room) == set()
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sns:*", "Resource": "*"}]}
    room.client("iam").put_role_policy(RoleName="runner", PolicyName="own", PolicyDocument=json.dumps(policy))
    for _ in until("the topic"):
        if topics(room) == {"one"}:
            break
