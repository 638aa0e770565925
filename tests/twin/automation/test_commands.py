"""Run Command and sessions: scripts really run on hosts, with the document's parameters; sessions are records."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.cloudformation import until
from tests.twin.automation.conftest import Room

Json = Any


def invocation(room: Room, command: str, instance: str) -> Json:
    for _ in until("the command"):
        found = room.client("ssm").get_command_invocation(CommandId=command, InstanceId=instance)
        if found["Status"] not in ("Pending", "InProgress", "Cancelling"):
            return found
    raise AssertionError


def send(room: Room, *lines: str, **more: Json) -> str:
    given = {"commands": list(lines), **more.pop("Parameters", {})}
    sent = room.client("ssm").send_command(DocumentName="AWS-RunShellScript", Parameters=given, **more)
    return str(sent["Command"]["CommandId"])


def test_a_script_runs_on_each_instance_that_a_tag_names(room: Room) -> None:
    one, two = room.launch(application="orders"), room.launch(application="orders")
    room.launch(application="other")
    room.hosts["us-east-1", one].root.joinpath("name").write_text("first")
    room.hosts["us-east-1", two].root.joinpath("name").write_text("second")
    id_ = send(room, "cat name", "echo oops >&2", Targets=[{"Key": "tag:application", "Values": ["orders"]}])
    said = {id2: invocation(room, id_, id2) for id2 in (one, two)}
    assert {key: value["StandardOutputContent"] for key, value in said.items()} == {one: "first", two: "second"}
    assert (said[one]["ResponseCode"], said[one]["StandardErrorContent"]) == (0, "oops\n")
    ssm = room.client("ssm")
    (command,) = ssm.list_commands(CommandId=id_)["Commands"]
    assert (command["Status"], command["TargetCount"], command["CompletedCount"]) == ("Success", 2, 2)
    listed = ssm.list_command_invocations(CommandId=id_, Details=True)["CommandInvocations"]
    assert sorted(item["CommandPlugins"][0]["Output"] for item in listed) == ["first", "second"]


def test_a_document_of_ours_fills_in_its_parameters_and_fails_with_its_script(room: Room) -> None:
    instance = room.launch()
    ssm = room.client("ssm")
    content = {
        "schemaVersion": "2.2",
        "parameters": {"Word": {"type": "String", "allowedPattern": "^[a-z]+$"}},
        "mainSteps": [
            {
                "action": "aws:runShellScript",
                "name": "Say",
                "inputs": {"runCommand": ["echo '{{ Word }}'", "exit 3"], "timeoutSeconds": "20"},
            },
            {"action": "aws:runShellScript", "name": "Never", "inputs": {"runCommand": ["echo never"]}},
        ],
    }
    ssm.create_document(Name="say", DocumentType="Command", Content=json.dumps(content))
    asked = {"DocumentName": "say", "InstanceIds": [instance]}
    sent = ssm.send_command(**asked, Parameters={"Word": ["hello"]})["Command"]["CommandId"]
    said = invocation(room, sent, instance)
    assert (said["Status"], said["PluginName"], said["ResponseCode"]) == ("Failed", "Say", 3)
    assert said["StandardOutputContent"] == "hello\n"
    never = ssm.get_command_invocation(CommandId=sent, InstanceId=instance, PluginName="Never")
    assert (never["ResponseCode"], never["StandardOutputContent"]) == (-1, "")
    with pytest.raises(ClientError, match="InvalidParameters"):
        ssm.send_command(**asked, Parameters={"Word": ["$(reboot)"]})
    with pytest.raises(ClientError, match="InvocationDoesNotExist"):
        ssm.get_command_invocation(CommandId=sent, InstanceId="i-0123456789abcdef0")


def test_an_instance_that_does_not_run_takes_no_command(room: Room) -> None:
    instance = room.launch()
    room.client("ec2").terminate_instances(InstanceIds=[instance])
    for wrong in (instance, "i-0123456789abcdef0"):
        with pytest.raises(ClientError, match="InvalidInstanceId"):
            send(room, "true", InstanceIds=[wrong])
    assert room.client("ssm").describe_instance_information()["InstanceInformationList"] == []


def test_a_command_that_nobody_takes_is_undeliverable_and_one_that_waits_can_be_cancelled(room: Room) -> None:
    silent = room.launch(host=False)
    (known,) = room.client("ssm").describe_instance_information()["InstanceInformationList"]
    assert (known["InstanceId"], known["PingStatus"]) == (silent, "Online")
    soon, later = (send(room, "true", InstanceIds=[silent], TimeoutSeconds=seconds) for seconds in (30, 3600))
    room.client("ssm").cancel_command(CommandId=later)
    assert invocation(room, later, silent)["Status"] == "Cancelled"
    assert invocation(room, soon, silent)["StatusDetails"] == "Undeliverable"


def test_a_script_that_takes_too_long_is_ended(room: Room) -> None:
    instance = room.launch()
    id_ = send(room, "sleep 60", InstanceIds=[instance], Parameters={"executionTimeout": ["1"]})
    said = invocation(room, id_, instance)
    assert (said["Status"], said["StatusDetails"]) == ("TimedOut", "ExecutionTimedOut")


def test_sessions_are_opened_seen_and_ended(room: Room) -> None:
    instance = room.launch()
    ssm = room.client("ssm")
    with pytest.raises(ClientError, match="TargetNotConnected"):
        ssm.start_session(Target="i-0123456789abcdef0")
    one, two = (ssm.start_session(Target=instance)["SessionId"] for _ in range(2))
    pages = ssm.get_paginator("describe_sessions")
    active = pages.paginate(State="Active", PaginationConfig={"PageSize": 1}).build_full_result()["Sessions"]
    assert {item["SessionId"] for item in active} == {one, two}
    ssm.terminate_session(SessionId=one)
    assert [item["SessionId"] for item in ssm.describe_sessions(State="Active")["Sessions"]] == [two]
    room.client("ec2").terminate_instances(InstanceIds=[instance])
    assert ssm.describe_sessions(State="Active")["Sessions"] == [], "they end with their instance"
