"""The responder: who may ask for emergency access, and what they can do with it. One way in, and it is recorded.

The role can start the two break-glass documents, open our session document on an instance that bears the tag, and end
what it opened. It holds no permission to tag, to run commands, to stop an execution or to use another session document,
and these are denied by name: they stay denied if somebody attaches an administrator's policy to it in the heat of an
incident.
"""

from __future__ import annotations

from typing import Final

from bicoastal.blueprint.access.break_glass import (
    BreakGlass,
    close_document_name,
    open_document_name,
    pass_to_automation,
    runs_of,
)
from bicoastal.blueprint.access.documents import add_document
from bicoastal.blueprint.access.roles import add_role, arn
from bicoastal.blueprint.emergency_tag import EMERGENCY_TAG
from bicoastal.blueprint.foundation import Foundation
from bicoastal.blueprint.grants import allow, deny, policy
from bicoastal.blueprint.stack import Resource, Stack
from bicoastal.cfn.intrinsics import Commented, Value, sub
from bicoastal.spec.model import Spec

RESPONDER_USER: Final = "responder"
"""Who a responder is on the instance. User data creates it: the image's own login user is not there."""
_OWN_SESSIONS = {"StringLike": {"ssm:resourceTag/aws:ssmmessages:session-id": "${aws:userid}"}}
"""Systems Manager tags each session with who opened it; for a role's session the session's ARN can't tell."""


def session_document_name(spec: Spec) -> str:
    """The one session document that responders may use."""
    return f"{spec.prefix}-emergency-session"


def add_session_document(stack: Stack, log_group: Resource) -> Resource:
    """A shell with an end, written to a log that the one who types can't delete."""
    spec = stack.spec
    inputs = {
        "cloudWatchLogGroupName": log_group.ref,
        "cloudWatchEncryptionEnabled": True,
        "cloudWatchStreamingEnabled": True,
        "s3BucketName": "",
        "s3KeyPrefix": "",
        "s3EncryptionEnabled": True,
        "kmsKeyId": "",
        "idleSessionTimeout": "10",
        "maxSessionDuration": str(spec.emergency.max_minutes),
        "runAsEnabled": True,
        "runAsDefaultUser": RESPONDER_USER,
        "shellProfile": {"linux": "", "windows": ""},
    }
    content = {
        "schemaVersion": "1.0",
        "description": "A shell on an instance that is open to responders: streamed to the log, no port forwarding.",
        "sessionType": "Standard_Stream",
        "inputs": inputs,
    }
    return add_document(
        stack,
        "EmergencySessionDocument",
        session_document_name(spec),
        "Session",
        content,
        comment="runAs: a user that the fleet's user data creates. It may use sudo: whoever is let in here is trusted "
        "with the instance, and the instance is thrown away afterwards.",
    )


def add_responder_role(stack: Stack, foundation: Foundation, glass: BreakGlass) -> Resource:
    """The role that a responder assumes, in the region where the instance is."""
    spec = stack.spec
    session = arn("ssm", f"document/{session_document_name(spec)}")
    own_document = {"BoolIfExists": {"ssm:SessionDocumentAccessCheck": "true"}}
    statements = [
        allow(
            "OpenAndCloseAccess",
            ["ssm:StartAutomationExecution"],
            [*runs_of(open_document_name(stack))[:2], *runs_of(close_document_name(stack))],
        ),
        pass_to_automation("HandRolesToAutomation", glass.open_role, glass.close_role),
        allow(
            "OpenSessionOnTaggedInstance",
            ["ssm:StartSession"],
            [arn("ec2", "instance/*")],
            {**own_document, "StringLike": {f"ssm:resourceTag/{EMERGENCY_TAG}": "?*"}},
        ),
        allow("OpenSessionWithOurDocument", ["ssm:StartSession"], [session], own_document),
        allow(
            "EndOwnSessions", ["ssm:ResumeSession", "ssm:TerminateSession"], [arn("ssm", "session/*")], _OWN_SESSIONS
        ),
        allow(
            "TalkInSessions",
            ["ssmmessages:OpenDataChannel"],
            [
                Commented(
                    arn("ssm", "session/*"),
                    "Of use only with the token that StartSession and ResumeSession hand out, for one's own sessions.",
                )
            ],
        ),
        allow(
            "Look",
            [
                "autoscaling:DescribeAutoScalingInstances",
                "ec2:DescribeInstances",
                "ssm:DescribeAutomationExecutions",
                "ssm:DescribeInstanceInformation",
                "ssm:DescribeSessions",
                "ssm:GetConnectionStatus",
            ],
            [Commented("*", "Finding an instance, and seeing what is open. Describing takes no resource.")],
        ),
        allow(
            "FollowExecution",
            ["ssm:DescribeAutomationStepExecutions", "ssm:GetAutomationExecution"],
            [arn("ssm", "automation-execution/*")],
        ),
        *_never(session),
    ]
    return add_role(
        stack,
        foundation,
        "ResponderRole",
        name="emergency-responder",
        description="Assumed with MFA in an emergency: opens chosen instances for a limited time, by one document.",
        trusted=_responder_trust(spec),
        statements=statements,
    )


def _never(session: Value) -> list[Value]:
    return [
        {
            "Sid": "NoOtherSessionDocument",
            "Effect": "Deny",
            "Action": ["ssm:StartSession"],
            "NotResource": [session, arn("ec2", "instance/*")],
        },
        deny(
            "NoWayAroundTheDocument",
            [
                "ssm:SendAutomationSignal",
                "ssm:SendCommand",
                "ssm:StopAutomationExecution",
                "ssm:CreateDocument",
                "ssm:UpdateDocument*",
                "ssm:DeleteDocument",
                "scheduler:*",
                "ec2-instance-connect:*",
            ],
            ["*"],
        ),
        deny("NoTagging", ["ec2:CreateTags", "ec2:DeleteTags", "autoscaling:CreateOrUpdateTags"], ["*"]),
    ]


def _responder_trust(spec: Spec) -> Value:
    """Who may assume the role.

    MFA shows in the request of a user or root session; it never shows in that of a role's session.
    """
    people = [principal for principal in spec.emergency.responders if ":role/" not in principal]
    roles = [principal for principal in spec.emergency.responders if ":role/" in principal]
    statements: list[Value] = []
    if people or not roles:
        own: Value = Commented(
            sub("arn:${AWS::Partition}:iam::${AWS::AccountId}:root"),
            "The spec names no responders: whoever this account's own policies allow to assume this role, with MFA.",
        )
        statements.append(
            {
                "Sid": "PeopleWithMfa",
                "Effect": "Allow",
                "Principal": {"AWS": people or own},
                "Action": "sts:AssumeRole",
                "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}},
            }
        )
    if roles:
        statements.append(
            {
                "Sid": "RolesWhoseProviderAsksForMfa",
                "Effect": "Allow",
                "Principal": {
                    "AWS": Commented(
                        roles,
                        "A role's session carries no aws:MultiFactorAuthPresent: demanding it here would lock these "
                        "out in the emergency. Their own trust, or their identity provider, must ask for MFA.",
                    )
                },
                "Action": "sts:AssumeRole",
                "Condition": {"BoolIfExists": {"aws:MultiFactorAuthPresent": "true"}},
            }
        )
    return policy(statements)
