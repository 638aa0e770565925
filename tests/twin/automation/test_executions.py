"""Automations as their callers see them: refused or begun, run step by step, failed, timed out, stopped, resumed."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.cloudformation import until
from tests.twin.automation.conftest import HOME, Room

Json = Any


def document(room: Room, *steps: Json, name: str = "work", **more: Json) -> str:
    content = {"schemaVersion": "0.3", "mainSteps": list(steps), **more}
    room.client("ssm").create_document(
        Name=name, DocumentType="Automation", DocumentFormat="JSON", Content=json.dumps(content)
    )
    return name


def start(room: Room, name: str = "work", **given: Json) -> str:
    return str(room.client("ssm").start_automation_execution(DocumentName=name, **given)["AutomationExecutionId"])


def ended(room: Room, id_: str) -> Json:
    for _ in until(f"the end of {id_}"):
        found = room.client("ssm").get_automation_execution(AutomationExecutionId=id_)["AutomationExecution"]
        if found["AutomationExecutionStatus"] not in ("Pending", "InProgress", "Cancelling"):
            return found
    raise AssertionError


def statuses(execution: Json) -> dict[str, str]:
    return {step["StepName"]: step["StepStatus"] for step in execution["StepExecutions"]}


def role(room: Room, *allowed: str, name: str = "runner", trusts: str = "ssm.amazonaws.com") -> str:
    iam = room.client("iam")
    trust = {"Statement": [{"Effect": "Allow", "Principal": {"Service": trusts}, "Action": "sts:AssumeRole"}]}
    arn = str(iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"])
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": list(allowed), "Resource": "*"}]}
    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=json.dumps(policy))
    return arn


def topic(name: str, **more: Json) -> Json:
    return {
        "name": f"Make{name}",
        "action": "aws:executeAwsApi",
        "inputs": {"Service": "sns", "Api": "CreateTopic", "Name": name},
        "outputs": [{"Name": "Arn", "Selector": "$.TopicArn", "Type": "String"}],
        **more,
    }


def topics(room: Room) -> set[str]:
    return {item["TopicArn"].rpartition(":")[2] for item in room.client("sns").list_topics()["Topics"]}


def test_steps_run_in_order_and_hand_on_what_they_found(room: Room) -> None:
    read = {
        "name": "Read",
        "action": "aws:assertAwsResourceProperty",
        "inputs": {
            "Service": "sns",
            "Api": "GetTopicAttributes",
            "TopicArn": "{{ Makeone.Arn }}",
            "PropertySelector": "$.Attributes.TopicArn",
            "DesiredValues": ["{{ Makeone.Arn }}"],
        },
        "isEnd": True,
    }
    document(room, topic("one"), read, topic("never"), outputs=["Makeone.Arn"])
    execution = ended(room, start(room))
    assert execution["AutomationExecutionStatus"] == "Success", execution
    assert statuses(execution) == {"Makeone": "Success", "Read": "Success", "Makenever": "Pending"}
    assert execution["Outputs"]["Makeone.Arn"][0].endswith(":one")
    assert topics(room) == {"one"}
    steps = room.client("ssm").describe_automation_step_executions(
        AutomationExecutionId=execution["AutomationExecutionId"],
        Filters=[{"Key": "StepName", "Values": ["Makeone"]}],
    )["StepExecutions"]
    assert steps[0]["Inputs"]["Name"] == "one"
    assert steps[0]["ExecutionEndTime"] >= steps[0]["ExecutionStartTime"]


def test_a_step_has_the_rights_of_the_role_and_no_others(room: Room) -> None:
    arn = role(room, "sns:CreateTopic", "sns:ListTopics")
    inputs = {"Service": "sns", "Api": "DeleteTopic", "TopicArn": "{{ Makeone.Arn }}"}
    asks = {"name": "Ask", "action": "aws:executeAwsApi", "inputs": inputs}
    document(room, topic("one"), asks, assumeRole=arn)
    execution = ended(room, start(room))
    assert statuses(execution) == {"Makeone": "Success", "Ask": "Failed"}, execution
    assert "not authorized to perform: sns:DeleteTopic" in execution["FailureMessage"]
    assert topics(room) == {"one"}


def test_a_role_that_does_not_trust_the_service_runs_nothing(room: Room) -> None:
    document(room, topic("one"), assumeRole=role(room, "sns:*", trusts="ec2.amazonaws.com"))
    execution = ended(room, start(room))
    assert execution["AutomationExecutionStatus"] == "Failed"
    assert "does not trust" in execution["FailureMessage"]
    assert topics(room) == set()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "Parameter Size is required"),
        ({"Size": ["big"], "Name": ["abc"]}, "not one of the allowed values"),
        ({"Size": ["S"], "Name": ["a b"]}, "does not match the allowed pattern"),
        ({"Size": ["S"], "Name": ["abc"], "Count": ["many"]}, "no Integer"),
        ({"Size": ["S"], "Name": ["abc"], "Colour": ["red"]}, "not defined"),
        ({"Size": ["S", "L"], "Name": ["abc"]}, "one value is needed"),
    ],
)
def test_parameters_are_checked_before_anything_begins(room: Room, given: Json, said: str) -> None:
    declared = {
        "Size": {"type": "String", "allowedValues": ["S", "L"]},
        "Name": {"type": "String", "allowedPattern": "^[a-z]+$"},
        "Count": {"type": "Integer", "default": 1},
    }
    document(room, topic("{{ Name }}"), parameters=declared)
    with pytest.raises(ClientError, match=said) as raised:
        start(room, Parameters=given)
    assert raised.value.response["Error"]["Code"] == "InvalidAutomationExecutionParametersException"


def test_a_token_begins_one_execution(room: Room) -> None:
    document(room, topic("one"))
    token = str(uuid.uuid4())
    assert start(room, ClientToken=token) == start(room, ClientToken=token)
    with pytest.raises(ClientError, match="IdempotentParameterMismatch"):
        start(room, ClientToken=token, Mode="Interactive")
    with pytest.raises(ClientError, match="AutomationDefinitionNotFound"):
        start(room, "another")
    with pytest.raises(ClientError, match="VersionNotFound"):
        start(room, DocumentVersion="7")


FAILS = {"Service": "sns", "Api": "GetTopicAttributes", "TopicArn": "arn:aws:sns:us-east-1:111122223333:absent"}


@pytest.mark.parametrize(
    ("way", "expected", "status"),
    [
        ({}, {"Fail": "Failed", "Makeone": "Pending", "Maketwo": "Pending"}, "Failed"),
        ({"onFailure": "Continue"}, {"Fail": "Failed", "Makeone": "Success", "Maketwo": "Success"}, "Failed"),
        ({"onFailure": "step:Maketwo"}, {"Fail": "Failed", "Makeone": "Pending", "Maketwo": "Success"}, "Failed"),
        (
            {"onFailure": "Continue", "isCritical": False},
            {"Fail": "Failed", "Makeone": "Success", "Maketwo": "Success"},
            "Success",
        ),
    ],
)
def test_a_failure_leads_where_the_step_says(room: Room, way: Json, expected: Json, status: str) -> None:
    fail = {"name": "Fail", "action": "aws:executeAwsApi", "inputs": FAILS, **way}
    document(room, fail, topic("one"), topic("two"))
    execution = ended(room, start(room))
    assert (statuses(execution), execution["AutomationExecutionStatus"]) == (expected, status)
    assert ("FailureMessage" in execution) == (status == "Failed")


def test_a_wait_sees_the_change_and_a_timeout_ends_it(room: Room) -> None:
    waits = {
        "name": "Wait",
        "action": "aws:waitForAwsResourceProperty",
        "inputs": {
            "Service": "sqs",
            "Api": "ListQueues",
            "QueueNamePrefix": "{{ Name }}",
            "PropertySelector": "$.QueueUrls[0]",
            "DesiredValues": [f"{room.ground.api.endpoint.url}/{room.ground.api.endpoint.account}/there"],
        },
        "timeoutSeconds": 30,
        "onFailure": "step:Makelast",
    }
    document(room, waits, topic("next", isEnd=True), topic("last"), parameters={"Name": {"type": "String"}})
    there, never = (start(room, Parameters={"Name": [name]}) for name in ("there", "never"))
    room.client("sqs").create_queue(QueueName="there")
    assert statuses(ended(room, there)) == {"Wait": "Success", "Makenext": "Success", "Makelast": "Pending"}
    late = ended(room, never)
    assert statuses(late) == {"Wait": "TimedOut", "Makenext": "Pending", "Makelast": "Success"}
    assert late["AutomationExecutionStatus"] == "TimedOut"


SLEEP = {"name": "Sleep", "action": "aws:sleep", "inputs": {"Duration": "PT1H"}}


def sleeping(room: Room, id_: str) -> None:
    for _ in until("the sleep"):
        found = room.client("ssm").get_automation_execution(AutomationExecutionId=id_)["AutomationExecution"]
        if found.get("CurrentStepName") == "Sleep":
            return


def test_a_cancellation_leads_where_the_step_says(room: Room) -> None:
    document(room, {**SLEEP, "onCancel": "step:Maketidy"}, topic("not"), topic("tidy"))
    document(room, SLEEP, topic("neither"), name="plain")
    tidy, plain = start(room), start(room, "plain")
    for id_ in (tidy, plain):
        sleeping(room, id_)
        room.client("ssm").stop_automation_execution(AutomationExecutionId=id_, Type="Cancel")
    execution = ended(room, tidy)
    assert execution["AutomationExecutionStatus"] == "Cancelled"
    assert statuses(execution) == {"Sleep": "Cancelled", "Makenot": "Pending", "Maketidy": "Success"}
    execution = ended(room, plain)
    assert statuses(execution) == {"Sleep": "Cancelled", "Makeneither": "Pending"}, execution
    with pytest.raises(ClientError, match="InvalidAutomationStatusUpdate"):
        room.client("ssm").stop_automation_execution(AutomationExecutionId=tidy)


def test_a_twin_that_was_killed_carries_on_at_the_step_that_it_was_in(room: Room) -> None:
    nap = {"name": "Sleep", "action": "aws:sleep", "inputs": {"Duration": "PT40S"}}
    document(room, topic("one"), nap, topic("two"))
    id_ = start(room)
    sleeping(room, id_)
    room.stop()
    room.client("sns").delete_topic(TopicArn=f"arn:aws:sns:{HOME}:{room.ground.api.endpoint.account}:one")
    room.start()
    execution = ended(room, id_)
    assert execution["AutomationExecutionStatus"] == "Success"
    assert topics(room) == {"two"}, "what was done is not done again"
    nap_s = execution["StepExecutions"][1]["ExecutionEndTime"] - execution["StepExecutions"][1]["ExecutionStartTime"]
    assert 2.0 <= nap_s.total_seconds() < 10, "it sleeps 40 s by the pace, from its first beginning"


def test_branches_follow_the_first_choice_that_holds(room: Room) -> None:
    branch = {
        "name": "Which",
        "action": "aws:branch",
        "inputs": {
            "Choices": [
                {"NextStep": "Makebig", "Variable": "{{ Size }}", "NumericGreater": 10},
                {
                    "NextStep": "Makeodd",
                    "Or": [
                        {"Variable": "{{ Size }}", "NumericEquals": 1},
                        {"Not": {"Variable": "{{ Size }}", "NumericGreaterOrEquals": 3}},
                    ],
                },
            ],
            "Default": "Makeother",
        },
    }
    steps = [topic(name, isEnd=True) for name in ("big", "odd", "other")]
    document(room, branch, *steps, parameters={"Size": {"type": "Integer"}})
    for size in ("11", "2", "5"):
        ended(room, start(room, Parameters={"Size": [size]}))
    assert topics(room) == {"big", "odd", "other"}


def test_a_script_has_its_input_and_its_role_and_says_how_it_failed(room: Room) -> None:
    script = """
import boto3, os

def work(events, context):
    if events["Name"] == "bad":
        raise ValueError("no such thing")
    arn = boto3.client("sns").create_topic(Name=events["Name"])["TopicArn"]
    return {"Arn": arn, "Caller": boto3.client("sts").get_caller_identity()["Arn"], "Home": os.environ["HOME"]}
"""
    step = {
        "name": "Script",
        "action": "aws:executeScript",
        "inputs": {
            "Runtime": "python3.11",
            "Handler": "work",
            "InputPayload": {"Name": "{{ Name }}"},
            "Script": script,
        },
        "outputs": [{"Name": "Caller", "Selector": "$.Payload.Caller", "Type": "String"}],
    }
    parameters = {"Name": {"type": "String"}}
    document(
        room,
        step,
        assumeRole=role(room, "sns:CreateTopic", "sts:GetCallerIdentity"),
        outputs=["Script.Caller"],
        parameters=parameters,
    )
    good, bad = (start(room, Parameters={"Name": [name]}) for name in ("good", "bad"))
    execution = ended(room, good)
    assert execution["AutomationExecutionStatus"] == "Success", execution
    assert execution["Outputs"]["Script.Caller"][0].endswith(f":assumed-role/runner/Automation-{good}")
    failure = ended(room, bad)["FailureMessage"]
    assert "ValueError - no such thing" in failure
    assert not list((room.ground.home.root / "automation").iterdir()), "nothing of a script is left"


def test_executions_are_found_by_document_and_status_and_in_pages(room: Room) -> None:
    document(room, topic("one"))
    document(room, {"name": "Fail", "action": "aws:executeAwsApi", "inputs": FAILS}, name="wrong")
    for name in ("work", "work", "wrong"):
        ended(room, start(room, name))
    pages = room.client("ssm").get_paginator("describe_automation_executions")
    by_name = [{"Key": "DocumentNamePrefix", "Values": ["work"]}]
    found = list(pages.paginate(Filters=by_name, PaginationConfig={"PageSize": 1}))
    assert [len(page["AutomationExecutionMetadataList"]) for page in found] == [1, 1]
    failed = pages.paginate(Filters=[{"Key": "ExecutionStatus", "Values": ["Failed"]}]).build_full_result()
    assert [item["DocumentName"] for item in failed["AutomationExecutionMetadataList"]] == ["wrong"]


def test_an_end_is_an_event_that_rules_see(room: Room) -> None:
    queue = room.client("sqs").create_queue(QueueName="seen")["QueueUrl"]
    arn = f"arn:aws:sqs:{HOME}:{room.ground.api.endpoint.account}:seen"
    events = room.client("events")
    pattern = {"source": ["aws.ssm"], "detail": {"Definition": ["work"], "Status": ["Failed"]}}
    events.put_rule(Name="ends", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="ends", Targets=[{"Id": "queue", "Arn": arn}])
    document(room, {"name": "Fail", "action": "aws:executeAwsApi", "inputs": FAILS})
    id_ = start(room)
    ended(room, id_)
    messages = room.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    assert [json.loads(item["Body"])["detail"]["ExecutionId"] for item in messages] == [id_]
