"""Emergency access to chosen instances for a limited time, without editing a role (M8, D17).

A responder starts one document, which tags the instance; the tag is what the responder's permission to open a session
depends on. The tag goes by itself: at the end of the document, on its failure or cancel, and by schedules that don't
depend on it. Untagging ends no session, so sessions are ended and the instance, no longer what was deployed, is
replaced.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from bicoastal.blueprint.access.documents import (
    Step,
    Then,
    add_document,
    automation,
    call_api,
    go_if,
    parameter,
    require,
    run_script,
    sleep,
    tag_instance,
)
from bicoastal.blueprint.access.roles import add_role, arn, service_trust
from bicoastal.blueprint.emergency_tag import EMERGENCY_TAG, ROLE_PREFIX
from bicoastal.blueprint.foundation import Foundation
from bicoastal.blueprint.grants import allow
from bicoastal.blueprint.stack import Resource, Stack
from bicoastal.cfn.intrinsics import PARTITION, Commented, Value

_INSTANCE = "{{ InstanceId }}"
REASON_PATTERN = "^[A-Za-z0-9 .,:/#@+_-]{10,200}$"
"""What may stand for the reason: it ends up in the record of the execution, and in mails about it."""
_CHOICES = (5, 10, 15, 30, 45, 60, 90, 120, 180, 240, 360, 480, 720)

_SCHEDULE = '''\
import datetime
import json
import boto3

def schedule(events, context):
    """Two one-time schedules, a minute and two after the document itself should have closed the instance."""
    end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=int(events["Minutes"]))
    close = {"DocumentName": events["CloseDocument"], "Parameters": {"InstanceId": [events["InstanceId"]]}}
    untag = {"Resources": [events["InstanceId"]], "Tags": [{"Key": events["TagKey"]}]}
    client = boto3.client("scheduler")
    made = []
    for name, call, request, later in (
        ("close", "ssm:startAutomationExecution", close, 1),
        ("untag", "ec2:deleteTags", untag, 2),
    ):
        at = end + datetime.timedelta(minutes=later)
        client.create_schedule(
            Name=name + "-" + events["Execution"],
            GroupName=events["Group"],
            Description="Emergency access to " + events["InstanceId"],
            ScheduleExpression=at.strftime("at(%Y-%m-%dT%H:%M:%S)"),
            ScheduleExpressionTimezone="UTC",
            FlexibleTimeWindow={"Mode": "OFF"},
            ActionAfterCompletion="DELETE",
            Target={
                "Arn": "arn:" + events["Partition"] + ":scheduler:::aws-sdk:" + call,
                "RoleArn": events["RoleArn"],
                "Input": json.dumps(request),
                "RetryPolicy": {"MaximumEventAgeInSeconds": 3600, "MaximumRetryAttempts": 60},
            },
        )
        made.append(name)
    return {"Made": made}
'''

_LOOK = '''\
import boto3

def look(events, context):
    """Whether the instance still bears the tag; a terminated one is closed."""
    filters = [
        {"Name": "instance-id", "Values": [events["InstanceId"]]},
        {"Name": "tag-key", "Values": [events["TagKey"]]},
        {"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]},
    ]
    found = boto3.client("ec2").describe_instances(Filters=filters)["Reservations"]
    return {"State": "open" if found else "closed"}
'''

_FIND = '''\
import boto3

def find(events, context):
    """Whether the instance is still there: closed early it was replaced, and an incident may have ended it, too."""
    filters = [
        {"Name": "instance-id", "Values": [events["InstanceId"]]},
        {"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]},
    ]
    found = boto3.client("ec2").describe_instances(Filters=filters)["Reservations"]
    return {"State": "there" if found else "gone"}
'''

_END_SESSIONS = '''\
import boto3

def end_sessions(events, context):
    """End every active session with the instance, also those beyond the first page."""
    ssm = boto3.client("ssm")
    filters = [{"key": "Target", "value": events["InstanceId"]}]
    ended = []
    for page in ssm.get_paginator("describe_sessions").paginate(State="Active", Filters=filters):
        for session in page["Sessions"]:
            ssm.terminate_session(SessionId=session["SessionId"])
            ended.append(session["SessionId"])
    return {"Ended": ended}
'''


@dataclass(frozen=True)
class BreakGlass:
    """The documents that open and close an instance, and the roles that they run as."""

    open_document: Resource
    close_document: Resource
    open_role: Resource
    close_role: Resource
    timer_role: Resource


def add_break_glass(stack: Stack, foundation: Foundation) -> BreakGlass:
    """Documents, roles and the group of the one-time schedules."""
    spec = stack.spec
    group = stack.add("BreakGlassSchedules", "AWS::Scheduler::ScheduleGroup", {"Name": f"{spec.prefix}-break-glass"})
    close_role = _close_role(stack, foundation)
    close_document = _close_document(stack, close_role)
    timer_role = _timer_role(stack, foundation, close_role)
    open_role = _open_role(stack, foundation, timer_role)
    open_document = _open_document(stack, open_role, timer_role, group)
    return BreakGlass(open_document, close_document, open_role, close_role, timer_role)


def open_document_name(stack: Stack) -> str:
    """The document that a responder starts to get in."""
    return f"{stack.spec.prefix}-open-access"


def close_document_name(stack: Stack) -> str:
    """The document that closes an instance: a responder's to start early, the schedule's to start in the end."""
    return f"{stack.spec.prefix}-close-access"


def choices_of_minutes(maximum: int) -> list[str]:
    """The durations that may be asked for: a short list is harder to mistype than a number."""
    return [str(minutes) for minutes in sorted({*(choice for choice in _CHOICES if choice <= maximum), maximum})]


def _open_document(stack: Stack, role: Resource, timer: Resource, group: Resource) -> Resource:
    spec = stack.spec
    parameters = {
        "InstanceId": _instance_parameter(),
        "Minutes": parameter(
            "Minutes until the instance is closed.", allowedValues=choices_of_minutes(spec.emergency.max_minutes)
        ),
        "Reason": parameter(
            "Why, for the record: an incident's number and a few words.",
            allowedPattern=REASON_PATTERN,
        ),
    }
    close = Then(on_failure="RemoveTag", on_cancel="RemoveTag")
    steps = [
        require(
            "RequireFleetInstance",
            "ec2",
            "DescribeInstances",
            {"InstanceIds": [_INSTANCE], "Filters": _fleet_filters(stack)},
            selector="$.Reservations[0].Instances[0].InstanceId",
            values=[_INSTANCE],
        ),
        run_script(
            "Schedule",
            _SCHEDULE,
            "schedule",
            {
                "InstanceId": _INSTANCE,
                "Minutes": "{{ Minutes }}",
                "Execution": "{{ automation:EXECUTION_ID }}",
                "CloseDocument": close_document_name(stack),
                "TagKey": EMERGENCY_TAG,
                "Group": group.ref,
                "RoleArn": timer.att("Arn"),
                "Partition": PARTITION,
            },
        ),
        tag_instance("SetTag", _INSTANCE, EMERGENCY_TAG, "{{ automation:EXECUTION_ID }}", then=close),
        sleep(
            "StayOpen", "PT{{ Minutes }}M", then=replace(close, timeout_seconds=spec.emergency.max_minutes * 60 + 300)
        ),
        run_script(
            "FindInstance",
            _FIND,
            "find",
            {"InstanceId": _INSTANCE},
            outputs={"State": "State"},
            then=Then(on_failure="RemoveTag", attempts=3),
        ),
        # Of one that is gone nothing is left to close; trying would fail, and call people to an instance that is not.
        go_if("IfThere", "{{ FindInstance.State }}", "there", "RemoveTag"),
        *_closing_steps(),
    ]
    return add_document(
        stack,
        "OpenAccessDocument",
        open_document_name(stack),
        "Automation",
        automation(
            "Open an instance of the fleet to responders for some minutes; then close and replace it.",
            role.att("Arn"),
            parameters,
            steps,
        ),
        comment="The schedules come before the tag: once set, it goes, even if this execution is stopped at once.",
    )


def _close_document(stack: Stack, role: Resource) -> Resource:
    steps = [
        run_script(
            "Look", _LOOK, "look", {"InstanceId": _INSTANCE, "TagKey": EMERGENCY_TAG}, outputs={"State": "State"}
        ),
        go_if("IfOpen", "{{ Look.State }}", "open", "RemoveTag"),
        *_closing_steps(),
    ]
    return add_document(
        stack,
        "CloseAccessDocument",
        close_document_name(stack),
        "Automation",
        automation(
            "Close an instance that is open to responders, now, and replace it. Does nothing to any other instance.",
            role.att("Arn"),
            {"InstanceId": _instance_parameter()},
            steps,
        ),
    )


def _closing_steps() -> list[Step]:
    """Each is tried whatever became of the one before: a failed step still leaves the execution marked as failed."""
    return [
        call_api(
            "RemoveTag",
            "ec2",
            "DeleteTags",
            {"Resources": [_INSTANCE], "Tags": [{"Key": EMERGENCY_TAG}]},
            then=Then(on_failure="Continue", attempts=5),
        ),
        run_script(
            "EndSessions",
            _END_SESSIONS,
            "end_sessions",
            {"InstanceId": _INSTANCE},
            then=Then(on_failure="Continue", attempts=3),
        ),
        call_api(
            "ReplaceInstance",
            "autoscaling",
            "SetInstanceHealth",
            {"InstanceId": _INSTANCE, "HealthStatus": "Unhealthy", "ShouldRespectGracePeriod": False},
            then=Then(attempts=3, end=True),
        ),
    ]


def _open_role(stack: Stack, foundation: Foundation, timer: Resource) -> Resource:
    spec = stack.spec
    statements = [
        allow(
            "FindInstance",
            ["ec2:DescribeInstances", "ec2:DescribeTags"],
            [Commented("*", "Describing takes no resource.")],
        ),
        allow("Schedule", ["scheduler:CreateSchedule"], [arn("scheduler", f"schedule/{spec.prefix}-break-glass/*")]),
        allow(
            "HandRoleToSchedule",
            ["iam:PassRole"],
            [timer.att("Arn")],
            {"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}},
        ),
        _tagging(stack, "Tag", "ec2:CreateTags"),
        *_closing(stack),
    ]
    return add_role(
        stack,
        foundation,
        "BreakGlassOpenRole",
        name=f"{ROLE_PREFIX}open",
        description="The document that opens an instance to responders runs as this.",
        trusted=service_trust("ssm", "ssm:automation-execution/*"),
        statements=statements,
    )


def _close_role(stack: Stack, foundation: Foundation) -> Resource:
    statements = [
        allow("FindInstance", ["ec2:DescribeInstances"], [Commented("*", "Describing takes no resource.")]),
        *_closing(stack),
    ]
    return add_role(
        stack,
        foundation,
        "BreakGlassCloseRole",
        name=f"{ROLE_PREFIX}close",
        description="The document that closes an instance runs as this.",
        trusted=service_trust("ssm", "ssm:automation-execution/*"),
        statements=statements,
    )


def _timer_role(stack: Stack, foundation: Foundation, close_role: Resource) -> Resource:
    statements = [
        allow("StartClosing", ["ssm:StartAutomationExecution"], runs_of(close_document_name(stack))),
        pass_to_automation("HandRoleToClosing", close_role),
        _tagging(stack, "Untag", "ec2:DeleteTags"),
    ]
    return add_role(
        stack,
        foundation,
        "BreakGlassTimerRole",
        name=f"{ROLE_PREFIX}timer",
        description="The schedules that close an instance, should its document not live to do it.",
        trusted=service_trust("scheduler", f"scheduler:schedule-group/{stack.spec.prefix}-break-glass"),
        statements=statements,
    )


def _closing(stack: Stack) -> list[Value]:
    return [
        _tagging(stack, "Untag", "ec2:DeleteTags"),
        allow("FindSessions", ["ssm:DescribeSessions"], [Commented("*", "Describing takes no resource.")]),
        allow("EndSessions", ["ssm:TerminateSession"], [arn("ssm", "session/*")]),
        allow(
            "ReplaceInstance",
            ["autoscaling:SetInstanceHealth"],
            [arn("autoscaling", "autoScalingGroup:*:autoScalingGroupName/*")],
            {"StringEquals": fleet_tags(stack)},
        ),
    ]


def _tagging(stack: Stack, sid: str, action: str) -> Value:
    """Set or remove the one key, on our instances only."""
    return allow(
        sid,
        [action],
        [arn("ec2", "instance/*")],
        {"StringEquals": fleet_tags(stack), "ForAllValues:StringEquals": {"aws:TagKeys": [EMERGENCY_TAG]}},
    )


def fleet_tags(stack: Stack) -> dict[str, Value]:
    """What marks a resource as this deployment's, as the keys of a condition."""
    return {
        "aws:ResourceTag/application": stack.spec.name,
        "aws:ResourceTag/environment": stack.spec.environment,
    }


def runs_of(document: str) -> list[Value]:
    """What StartAutomationExecution is asked for.

    The document, its older ARN form, and the execution that comes of it.
    """
    return [
        arn("ssm", f"document/{document}"),
        arn("ssm", f"automation-definition/{document}:*"),
        arn("ssm", "automation-execution/*"),
    ]


def pass_to_automation(sid: str, *roles: Resource) -> Value:
    """Permission to start documents that run as these roles: Automation asks for it of whoever starts them."""
    return allow(
        sid,
        ["iam:PassRole"],
        [role.att("Arn") for role in roles],
        {"StringEquals": {"iam:PassedToService": "ssm.amazonaws.com"}},
    )


def _fleet_filters(stack: Stack) -> list[Value]:
    return [
        {"Name": "tag:application", "Values": [stack.spec.name]},
        {"Name": "tag:environment", "Values": [stack.spec.environment]},
        {"Name": "tag-key", "Values": ["aws:autoscaling:groupName"]},
        {"Name": "instance-state-name", "Values": ["running"]},
    ]


def _instance_parameter() -> Value:
    return parameter("The instance, such as i-0123456789abcdef0.", allowedPattern="^i-[0-9a-f]{8,17}$")
