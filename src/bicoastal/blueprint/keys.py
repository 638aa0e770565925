"""The customer managed keys of a region, and who may use them.

A key never leaves its region: the other region's copies (replica, secrets, backups) are encrypted under the key there.
Every policy starts with the account's administration, because a key that nobody can administer is lost for good. What
may use a key beyond that is a service, in this account, for the purpose named; people and roles need a grant in IAM.
"""

from __future__ import annotations

from typing import Final

from bicoastal.blueprint.grants import allow, policy
from bicoastal.blueprint.stack import Resource, Stack
from bicoastal.cfn.intrinsics import ACCOUNT, Commented, Value, sub

NAMED_PUBLISHERS: Final = ("cloudwatch.amazonaws.com", "events.rds.amazonaws.com")
"""AWS's publishers to the alert topic that say for which account they publish."""
BARE_PUBLISHERS: Final = ("events.amazonaws.com", "backup.amazonaws.com")
"""Those that don't: a condition on the account would match none of their requests, and lose every alert in silence."""

_WAITING_DAYS: Final = 30
_USE = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]
_SCALING_ROLE = "role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"


def add_data_key(stack: Stack) -> Resource:
    """The key of what customers own: database, secrets, volumes, artifacts."""
    return _add_key(
        stack,
        "DataKey",
        "data",
        [*_fleet_volumes()],
        accept={
            "CKV_AWS_33": "The wildcard is narrowed to one service-linked role. Naming it as the principal would fail "
            "in an account that has never had an Auto Scaling group, where that role does not exist yet."
        },
    )


def add_logs_key(stack: Stack) -> Resource:
    """The key of what is written about the region: log groups, alerts, the trail."""
    prefix = stack.spec.prefix
    logs = _for_service(
        "LogGroupsOfThisAccount",
        [sub("logs.${AWS::Region}.${AWS::URLSuffix}")],
        _USE,
        {
            "ArnLike": {
                "kms:EncryptionContext:aws:logs:arn": sub(
                    "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:*"
                )
            }
        },
    )
    alarms = _for_service(
        "PublishToTheAlertTopic", [*NAMED_PUBLISHERS, *BARE_PUBLISHERS], ["kms:Decrypt", "kms:GenerateDataKey*"]
    )
    trails = sub(f"arn:${{AWS::Partition}}:cloudtrail:${{AWS::Region}}:${{AWS::AccountId}}:trail/{prefix}-*")
    trail = _for_service(
        "WriteTheTrail",
        ["cloudtrail.amazonaws.com"],
        ["kms:GenerateDataKey*", "kms:DescribeKey"],
        {"ArnLike": {"aws:SourceArn": trails}},
    )
    return _add_key(
        stack,
        "LogsKey",
        "logs",
        [
            logs,
            Commented(
                alarms,
                "No condition: EventBridge's requests to KMS carry no account, and their alerts would get lost. Who "
                "may publish is decided by the topic's policy; the key alone is of no use to a publisher.",
            ),
            trail,
        ],
    )


def _fleet_volumes() -> list[Value]:
    """Auto Scaling starts instances by its service-linked role, which needs the key of their volumes."""
    role = sub(f"arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:{_SCALING_ROLE}")
    scaling = {"ArnEquals": {"aws:PrincipalArn": role}, "StringEquals": {"kms:CallerAccount": ACCOUNT}}
    use = allow("VolumesOfTheFleet", _USE, ["*"], scaling)
    attach = allow(
        "AttachVolumesOfTheFleet",
        ["kms:CreateGrant"],
        ["*"],
        {**scaling, "Bool": {"kms:GrantIsForAWSResource": "true"}},
    )
    return [{**use, "Principal": {"AWS": "*"}}, {**attach, "Principal": {"AWS": "*"}}]


def _for_service(
    sid: str, services: list[Value], actions: list[str], condition: dict[str, dict[str, Value]] | None = None
) -> dict[str, Value]:
    return {**allow(sid, actions, ["*"], condition), "Principal": {"Service": services}}


def _add_key(
    stack: Stack, logical_id: str, what: str, statements: list[Value], accept: dict[str, str] | None = None
) -> Resource:
    root = sub("arn:${AWS::Partition}:iam::${AWS::AccountId}:root")
    administration = {**allow("AccountAdministration", ["kms:*"], ["*"]), "Principal": {"AWS": root}}
    key = stack.add(
        logical_id,
        "AWS::KMS::Key",
        {
            "Description": f"{stack.spec.prefix}: {what} of the region",
            "EnableKeyRotation": True,
            "PendingWindowInDays": _WAITING_DAYS,
            "KeyPolicy": policy([administration, *statements]),
        },
        comment="Kept when the stack is deleted: what it encrypted (snapshots, backups, logs) outlives the stack and "
        "is unreadable without it.",
        retain=True,
        accept=accept,
    )
    stack.add(
        f"{logical_id}Alias",
        "AWS::KMS::Alias",
        {"AliasName": f"alias/{stack.spec.prefix}/{what}", "TargetKeyId": key.ref},
    )
    return key
