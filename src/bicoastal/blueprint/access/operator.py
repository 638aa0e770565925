"""What `failover`, `switchover` and `rejoin` need, as policies that the team attaches to whoever runs them.

Two in each region, for that region's resources: `operator` moves users and writes, and is enough in an emergency;
`rejoin` rebuilds the lost side afterwards. Acting in the surviving region needs nothing of the other (D18): sign in by
the surviving region's STS endpoint, with credentials that don't come from the lost one.

CloudFormation acts with the operator's own permissions, so whatever its handlers call when a live parameter moves
stands here too: a test derives that from AWS's schemas. What builds and deletes a deployment is not here: that is
`deploy`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bicoastal.blueprint.access.break_glass import fleet_tags, pass_to_automation, runs_of
from bicoastal.blueprint.access.operations import Operations, failover_document_name
from bicoastal.blueprint.access.roles import arn
from bicoastal.blueprint.emergency_tag import EMERGENCY_TAG
from bicoastal.blueprint.grants import allow, deny, policy
from bicoastal.blueprint.stack import Resource, Stack
from bicoastal.cfn.intrinsics import Commented, Value, sub

FAILOVER_STACKS = ("database", "service", "backup", "monitoring")
REJOIN_STACKS = (*FAILOVER_STACKS, "checks", "names", "bootstrap")
"""Kinds of stacks whose parameters the operations move, or whose inputs follow from what moved."""

_TAGGING = {
    "autoscaling": ("CreateOrUpdateTags", "DeleteTags"),
    "backup": ("TagResource", "UntagResource"),
    "cloudwatch": ("TagResource", "UntagResource"),
    "ec2": ("CreateTags", "DeleteTags"),
    "elasticloadbalancing": ("AddTags", "RemoveTags"),
    "events": ("TagResource", "UntagResource"),
    "kms": ("TagResource", "UntagResource"),
    "logs": ("TagResource", "UntagResource"),
    "rds": ("AddTagsToResource", "RemoveTagsFromResource"),
    "secretsmanager": ("TagResource", "UntagResource"),
    "sns": ("TagResource", "UntagResource"),
    "ssm": ("AddTagsToResource", "RemoveTagsFromResource"),
    "tag": ("TagResources", "UntagResources"),
    "wafv2": ("TagResource", "UntagResource"),
}
"""How each service sets and removes tags (M10). S3 is not here: it replaces all tags of a bucket at once."""


@dataclass(frozen=True)
class OperatorPolicies:
    """The two managed policies; `ref` is the ARN."""

    operator: Resource
    rejoin: Resource


def add_operator_policies(stack: Stack, operations: Operations) -> OperatorPolicies:
    """What the operations need in this region."""
    operator = [
        *_observe(),
        *_change_stacks(stack, FAILOVER_STACKS),
        *_database(stack),
        *_traffic(stack),
        *_protection(stack),
        *_kit(stack, operations),
    ]
    rejoin = [
        *_change_stacks(stack, REJOIN_STACKS),
        *_next_generation(stack),
        *_names(stack),
        *_failover_tags(stack),
        deny(
            "NotTheEmergencyTag",
            ["ec2:CreateTags", "ec2:DeleteTags", "autoscaling:CreateOrUpdateTags"],
            ["*"],
            {"ForAnyValue:StringEquals": {"aws:TagKeys": [EMERGENCY_TAG]}},
        ),
    ]
    return OperatorPolicies(
        _policy(stack, "OperatorPolicy", "operator", "failover and switchover in this region.", operator),
        _policy(stack, "RejoinPolicy", "rejoin", "rejoin in this region; needs the operator policy too.", rejoin),
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


def _change_stacks(stack: Stack, kinds: Sequence[str]) -> list[Value]:
    prefix = stack.spec.prefix
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
            ],
            [arn("cloudformation", f"stack/{prefix}-*/*")],
        ),
        allow(
            "MoveParameters",
            [
                "cloudformation:ContinueUpdateRollback",
                "cloudformation:CreateChangeSet",
                "cloudformation:DeleteChangeSet",
                "cloudformation:ExecuteChangeSet",
            ],
            [arn("cloudformation", f"stack/{prefix}-{kind}/*") for kind in kinds],
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
            ["ec2:AuthorizeSecurityGroupIngress", "ec2:RevokeSecurityGroupIngress"],
            [arn("ec2", "security-group/*"), arn("ec2", "security-group-rule/*")],
            ours,
        ),
        allow(
            "Fleet",
            [
                "autoscaling:CancelInstanceRefresh",
                "autoscaling:StartInstanceRefresh",
                "autoscaling:UpdateAutoScalingGroup",
            ],
            [arn("autoscaling", "autoScalingGroup:*:autoScalingGroupName/*")],
            ours,
        ),
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
    documents = [
        sub(f"arn:${{AWS::Partition}}:ssm:${{AWS::Region}}:${{AWS::AccountId}}:document/${{{document.logical_id}}}")
        for document in operations.kit_documents
    ]
    return [
        allow("KitVerbs", ["ssm:SendCommand"], documents),
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


def _next_generation(stack: Stack) -> list[Value]:
    """A new replica, its log groups, and the events of it. The instance of the old generation is kept."""
    prefix = stack.spec.prefix
    return [
        allow(
            "CreateReplica",
            ["rds:CreateDBInstance", "rds:CreateDBInstanceReadReplica"],
            [
                arn("rds", f"db:{prefix}-db-g*"),
                arn("rds", "pg:*"),
                arn("rds", "subgrp:*"),
                sub(f"arn:${{AWS::Partition}}:rds:*:${{AWS::AccountId}}:db:{prefix}-db-g*"),
            ],
        ),
        allow(
            "LogsOfNextGeneration",
            [
                "logs:AssociateKmsKey",
                "logs:CreateLogGroup",
                "logs:DeleteLogGroup",
                "logs:ListTagsForResource",
                "logs:PutRetentionPolicy",
                "logs:TagResource",
            ],
            [arn("logs", f"log-group:/aws/rds/instance/{prefix}-db-g*")],
        ),
        allow(
            "EventsOfNextGeneration",
            [
                "rds:AddSourceIdentifierToSubscription",
                "rds:ModifyEventSubscription",
                "rds:RemoveSourceIdentifierFromSubscription",
            ],
            [arn("rds", "es:*")],
            {"StringEquals": fleet_tags(stack)},
        ),
    ]


def _names(stack: Stack) -> list[Value]:
    """Route 53's control plane is in us-east-1: a failover waits for none of this, a rejoin may."""
    domain = stack.spec.domain.name
    records = {"route53:ChangeResourceRecordSetsNormalizedRecordNames": [domain, f"*.{domain}"]}
    zones = [sub("arn:${AWS::Partition}:route53:::hostedzone/*")]
    return [
        allow(
            "ChangeNames",
            ["route53:ChangeResourceRecordSets"],
            zones,
            {"ForAllValues:StringLike": records, "Null": {next(iter(records)): "false"}},
        ),
        allow("ReadNames", ["route53:GetHostedZone", "route53:ListResourceRecordSets"], zones),
        allow("FindNames", ["route53:ListHostedZones"], [Commented("*", "This action takes no resource.")]),
        allow("NamesInSync", ["route53:GetChange"], [sub("arn:${AWS::Partition}:route53:::change/*")]),
        allow(
            "MoveEpochOfChecks",
            ["route53:ChangeTagsForResource", "route53:ListTagsForResource", "route53:UpdateHealthCheck"],
            [Commented(sub("arn:${AWS::Partition}:route53:::healthcheck/*"), "Checks take no tag conditions.")],
        ),
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
        )
    ]


def _roles(stack: Stack) -> Value:
    return sub(f"arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:role/{stack.spec.prefix}-*")
