"""What `failover`, `switchover` and `rejoin` need, as policies that the team attaches to whoever runs them.

In each region, for that region's resources: `operator` moves users and writes, and is enough in an emergency; `rejoin`
rebuilds the lost side afterwards, its fleet included; `failover-tags` overrides tags in the one and restores them in
the other, where the spec has such tags; `restorer` restores backups into databases of their own. More than one, because
IAM ends a policy at 6,144 characters.
Acting in the surviving region needs nothing of the other (D18): sign in by the surviving region's STS endpoint, with
credentials that don't come from the lost one.

CloudFormation acts with the operator's own permissions, so whatever its handlers call when a live parameter moves
stands here too: a test derives that from AWS's schemas. What builds and deletes a deployment is not here: that is
`deploy`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bicoastal.blueprint.access.break_glass import fleet_tags, pass_to_automation, runs_of
from bicoastal.blueprint.access.operations import Operations, failover_document_name
from bicoastal.blueprint.access.rejoin import fleet_groups, not_the_emergency_tag, rejoin_statements
from bicoastal.blueprint.access.roles import arn
from bicoastal.blueprint.foundation import Foundation
from bicoastal.blueprint.grants import allow, policy
from bicoastal.blueprint.stack import Resource, Stack
from bicoastal.cfn.intrinsics import Commented, Value, sub

FAILOVER_STACKS = ("database", "service", "backup", "monitoring")
REJOIN_STACKS = (*FAILOVER_STACKS, "checks", "names")
"""Kinds of stacks whose parameters the operations move, or whose inputs follow from what moved. `bootstrap` names the
database's host too, and waits for the next `deploy`: whoever changes its document chooses what reads every password."""

_TAGGING = {
    "acm": ("AddTagsToCertificate", "RemoveTagsFromCertificate"),
    "autoscaling": ("CreateOrUpdateTags", "DeleteTags"),
    "backup": ("TagResource", "UntagResource"),
    "cloudtrail": ("AddTags", "RemoveTags"),
    "cloudwatch": ("TagResource", "UntagResource"),
    "ec2": ("CreateTags", "DeleteTags"),
    "elasticloadbalancing": ("AddTags", "RemoveTags"),
    "events": ("TagResource", "UntagResource"),
    "kms": ("TagResource", "UntagResource"),
    "logs": ("TagResource", "UntagResource"),
    "rds": ("AddTagsToResource", "RemoveTagsFromResource"),
    "scheduler": ("TagResource", "UntagResource"),
    "secretsmanager": ("TagResource", "UntagResource"),
    "sns": ("TagResource", "UntagResource"),
    "ssm": ("AddTagsToResource", "RemoveTagsFromResource"),
    "wafv2": ("TagResource", "UntagResource"),
}
"""How each service sets and removes tags (M10), asked with their keys. S3 is not here: it has no such condition."""


@dataclass(frozen=True)
class OperatorPolicies:
    """The managed policies; `ref` is the ARN."""

    operator: Resource
    rejoin: Resource
    restorer: Resource
    failover_tags: Resource | None
    """Absent where the spec overrides no tags."""


def add_operator_policies(stack: Stack, foundation: Foundation, operations: Operations) -> OperatorPolicies:
    """What the operations need in this region."""
    operator = [
        *_observe(),
        *_read_stacks(stack),
        *_change_stacks(stack, FAILOVER_STACKS),
        *_database(stack),
        *_traffic(stack),
        *_protection(stack),
        *_kit(stack, operations),
        *_journal(stack, foundation),
    ]
    rejoin = [
        *_change_stacks(stack, [kind for kind in REJOIN_STACKS if kind not in FAILOVER_STACKS]),
        *rejoin_statements(stack),
    ]
    tags = _failover_tags(stack)
    return OperatorPolicies(
        _policy(stack, "OperatorPolicy", "operator", "failover and switchover in this region.", operator),
        _policy(stack, "RejoinPolicy", "rejoin", "rejoin in this region; needs the operator policy too.", rejoin),
        _policy(
            stack,
            "RestorerPolicy",
            "restorer",
            "restores in this region; needs the operator policy too.",
            _restore(stack),
        ),
        _policy(stack, "FailoverTagsPolicy", "failover-tags", "overriding tags in this region.", tags)
        if tags
        else None,
    )


def _policy(stack: Stack, logical_id: str, name: str, purpose: str, statements: Sequence[Value]) -> Resource:
    return stack.add(
        logical_id,
        "AWS::IAM::ManagedPolicy",
        {
            "ManagedPolicyName": sub(f"{stack.spec.prefix}-{name}-${{AWS::Region}}"),
            "Description": f"What an operator needs for {purpose}",
            "PolicyDocument": policy(statements),
        },
    )


def _observe() -> list[Value]:
    described = [
        "autoscaling:Describe*",
        "backup:GetBackupSelection",
        "backup:ListRecoveryPointsByBackupVault",
        "cloudformation:ListStacks",
        "cloudwatch:Describe*",
        "cloudwatch:GetMetricData",
        "cloudwatch:ListTagsForResource",
        "ec2:Describe*",
        "elasticloadbalancing:Describe*",
        "iam:ListRoles",
        "logs:DescribeLogGroups",
        "rds:Describe*",
        "rds:ListTagsForResource",
        "ssm:DescribeInstanceInformation",
        "ssm:GetAutomationExecution",
        "ssm:GetCommandInvocation",
        "tag:GetResources",
    ]
    return [
        allow("Observe", described, [Commented("*", "Reads names and states, no data; most take no resource.")]),
    ]


def _read_stacks(stack: Stack) -> list[Value]:
    return [
        allow(
            "ReadStacks",
            [
                "cloudformation:DescribeChangeSet",
                "cloudformation:DescribeStackEvents",
                "cloudformation:DescribeStackResources",
                "cloudformation:DescribeStacks",
                "cloudformation:GetTemplate",
                "cloudformation:ListChangeSets",
                "cloudformation:ListStackResources",
            ],
            [arn("cloudformation", f"stack/{stack.spec.prefix}-*/*")],
        ),
    ]


def _change_stacks(stack: Stack, kinds: Sequence[str]) -> list[Value]:
    return [
        allow(
            "MoveParameters",
            [
                "cloudformation:ContinueUpdateRollback",
                "cloudformation:CreateChangeSet",
                "cloudformation:DeleteChangeSet",
                "cloudformation:ExecuteChangeSet",
            ],
            [arn("cloudformation", f"stack/{stack.spec.prefix}-{kind}/*") for kind in kinds],
        ),
    ]


def _database(stack: Stack) -> list[Value]:
    """Promotion, and what the handler does around it; the alarms and the subscription follow the instance's name."""
    prefix = stack.spec.prefix
    return [
        allow(
            "PromoteAndBringInLine",
            [
                "rds:AddTagsToResource",
                "rds:ModifyDBInstance",
                "rds:PromoteReadReplica",
                "rds:RebootDBInstance",
                "rds:RemoveTagsFromResource",
            ],
            [arn("rds", f"db:{prefix}-db-g*"), arn("rds", "pg:*"), arn("rds", "subgrp:*")],
        ),
        allow(
            "KeyOfDatabase",
            ["kms:CreateGrant", "kms:DescribeKey"],
            [arn("kms", "key/*")],
            {"StringEquals": {"kms:ViaService": sub("rds.${AWS::Region}.amazonaws.com")} | fleet_tags(stack)},
        ),
        allow("LookAtRoles", ["iam:GetRole"], [_roles(stack)]),
        allow(
            "HandRoles",
            ["iam:PassRole"],
            [_roles(stack)],
            {"StringEquals": {"iam:PassedToService": ["monitoring.rds.amazonaws.com", "backup.amazonaws.com"]}},
        ),
    ]


def _traffic(stack: Stack) -> list[Value]:
    ours = {"StringEquals": fleet_tags(stack)}
    return [
        allow(
            "SwitchAndReadGate",
            [
                "elasticloadbalancing:ModifyListener",
                "elasticloadbalancing:ModifyListenerAttributes",
                "elasticloadbalancing:ModifyRule",
            ],
            [arn("elasticloadbalancing", f"{kind}/app/*") for kind in ("listener", "listener-rule")],
            ours,
        ),
        allow(
            "FenceFromOutside",
            ["ec2:ModifySecurityGroupRules"],
            [arn("ec2", "security-group/*")],
            ours,
        ),
        # Rules bear no tags; each call is asked for the group as well.
        allow("RulesOfThoseGroups", ["ec2:ModifySecurityGroupRules"], [arn("ec2", "security-group-rule/*")]),
        allow("Fleet", ["autoscaling:UpdateAutoScalingGroup"], [fleet_groups()], ours),
    ]


def _protection(stack: Stack) -> list[Value]:
    """The backup goes with the primary, and so do its alarm and the dashboard."""
    prefix = stack.spec.prefix
    return [
        allow(
            "BackUpThePrimary",
            ["backup:CreateBackupSelection", "backup:DeleteBackupSelection"],
            [arn("backup", "backup-plan:*")],
        ),
        allow(
            "AlarmsThatFollow",
            [
                "cloudwatch:DeleteAlarms",
                "cloudwatch:PutMetricAlarm",
                "cloudwatch:TagResource",
                "cloudwatch:UntagResource",
            ],
            [arn("cloudwatch", f"alarm:{prefix}-*")],
        ),
        allow(
            "DashboardThatFollows",
            ["cloudwatch:PutDashboard"],
            [sub(f"arn:${{AWS::Partition}}:cloudwatch::${{AWS::AccountId}}:dashboard/{prefix}*")],
        ),
    ]


def _kit(stack: Stack, operations: Operations) -> list[Value]:
    return [
        # All that begin so are ours; each by its name would not fit into the policy.
        allow("KitVerbs", ["ssm:SendCommand"], [arn("ssm", f"document/{stack.spec.prefix}-kit-*")]),
        allow(
            "KitOnOurInstances",
            ["ssm:SendCommand"],
            [arn("ec2", "instance/*")],
            {
                "StringEquals": {
                    "ssm:resourceTag/application": stack.spec.name,
                    "ssm:resourceTag/environment": stack.spec.environment,
                }
            },
        ),
        allow("FailOverInRegion", ["ssm:StartAutomationExecution"], runs_of(failover_document_name(stack))),
        pass_to_automation("HandRoleToFailover", operations.failover_role),
    ]


def _journal(stack: Stack, foundation: Foundation) -> list[Value]:
    """What an operation writes of itself, the lock of whoever operates, and what has to be put back."""
    place = sub("${Bucket}/operations/*", {"Bucket": stack.input(foundation.artifact_bucket_arn)})
    bus = arn("events", "event-bus/default")
    return [
        allow("JournalAndLock", ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"], [place]),
        allow(
            "KeyOfJournal",
            ["kms:Decrypt", "kms:GenerateDataKey"],
            [stack.input(foundation.data_key_arn)],
            {"StringEquals": {"kms:ViaService": sub("s3.${AWS::Region}.amazonaws.com")}},
        ),
        allow("TellOfAnOverride", ["events:PutEvents"], [bus]),
    ]


def _restore(stack: Stack) -> list[Value]:
    """AWS Backup restores as its own role, which the operator policy lets hand over; what it makes may be removed."""
    restored = [arn("rds", f"db:{stack.spec.prefix}-restored-*")]
    return [
        allow(
            "SeeBackups",
            [
                "backup:DescribeRestoreJob",
                "backup:GetBackupPlan",
                "backup:GetRestoreJobMetadata",
                "backup:ListBackupSelections",
                "backup:ListCopyJobs",
                "backup:ListRestoreJobs",
            ],
            [Commented("*", "Reads names and states, no data; lists take no resource.")],
        ),
        allow(
            "RestoreOurBackups",
            ["backup:GetRecoveryPointRestoreMetadata", "backup:StartRestoreJob"],
            [arn("rds", "snapshot:awsbackup:*")],
        ),
        allow("TagAndRemoveWhatWasRestored", ["rds:AddTagsToResource", "rds:DeleteDBInstance"], restored),
    ]


def _failover_tags(stack: Stack) -> list[Value]:
    """Only the keys that the spec replaces during a failover (M10); none, no permission."""
    keys = sorted(stack.spec.failover_tags)
    if not keys:
        return []
    calls = [f"{service}:{call}" for service, pair in _TAGGING.items() for call in pair]
    return [
        allow(
            "FailoverTags",
            calls,
            [Commented("*", "Many types; the condition names the keys, and the region.")],
            {
                "StringEquals": {"aws:RequestedRegion": sub("${AWS::Region}")},
                "ForAllValues:StringEquals": {"aws:TagKeys": keys},
                "Null": {"aws:TagKeys": "false"},
            },
        ),
        allow(
            "FailoverTagsAtOnce",
            ["tag:TagResources", "tag:UntagResources"],
            [Commented("*", "It knows no keys; each resource's service is asked as well, with them.")],
        ),
        allow(
            "FailoverTagsOfBuckets",
            ["s3:GetBucketTagging", "s3:PutBucketTagging"],
            [
                Commented(
                    sub(f"arn:${{AWS::Partition}}:s3:::{stack.spec.prefix}-*-${{AWS::Region}}"), "All tags at once."
                )
            ],
        ),
        not_the_emergency_tag(),
    ]


def _roles(stack: Stack) -> Value:
    return sub(f"arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:role/{stack.spec.prefix}-*")
