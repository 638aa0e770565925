"""What `failover`, `switchover` and `rejoin` need, as a policy that the team attaches to whoever runs them.

One policy per region, for that region's resources: acting in the surviving region needs nothing of the other (D18).
Credentials must not depend on the lost region either: sign in by the surviving region's STS endpoint. CloudFormation
acts with the operator's own permissions, so what a change set does to a database stands here too. What builds and
deletes things is not here: that is `deploy`.
"""

from __future__ import annotations

from bicoastal.blueprint.access.break_glass import fleet_tags, pass_to_automation, runs_of
from bicoastal.blueprint.access.operations import Operations, failover_document_name
from bicoastal.blueprint.access.roles import arn
from bicoastal.blueprint.emergency_tag import EMERGENCY_TAG
from bicoastal.blueprint.grants import allow, deny, policy
from bicoastal.blueprint.stack import Resource, Stack
from bicoastal.cfn.intrinsics import Commented, Value, sub

CHANGED_STACKS = ("database", "service", "names", "backup")
"""Kinds of stacks whose parameters an operation moves."""

_TAGGING = (
    "autoscaling:CreateOrUpdateTags",
    "backup:TagResource",
    "cloudwatch:TagResource",
    "ec2:CreateTags",
    "elasticloadbalancing:AddTags",
    "events:TagResource",
    "kms:TagResource",
    "logs:TagResource",
    "rds:AddTagsToResource",
    "s3:PutBucketTagging",
    "secretsmanager:TagResource",
    "sns:TagResource",
    "ssm:AddTagsToResource",
    "wafv2:TagResource",
)


def add_operator_policy(stack: Stack, operations: Operations) -> Resource:
    """The managed policy; its `ref` is the ARN."""
    return stack.add(
        "OperatorPolicy",
        "AWS::IAM::ManagedPolicy",
        {
            "ManagedPolicyName": sub(f"{stack.spec.prefix}-operator-${{AWS::Region}}"),
            "Description": "failover, switchover and rejoin in this region, and nothing that builds or deletes.",
            "PolicyDocument": policy(
                [
                    *_observe(),
                    *_change_stacks(stack),
                    *_database(stack),
                    *_traffic(stack),
                    *_kit(stack, operations),
                    *_failover_tags(stack),
                    deny(
                        "NotTheEmergencyTag",
                        ["ec2:CreateTags", "ec2:DeleteTags", "autoscaling:CreateOrUpdateTags"],
                        ["*"],
                        {"ForAnyValue:StringEquals": {"aws:TagKeys": [EMERGENCY_TAG]}},
                    ),
                ]
            ),
        },
    )


def _observe() -> list[Value]:
    described = [
        "autoscaling:DescribeAutoScalingGroups",
        "autoscaling:DescribeInstanceRefreshes",
        "cloudformation:ListStacks",
        "cloudwatch:DescribeAlarms",
        "cloudwatch:GetMetricData",
        "ec2:DescribeInstances",
        "ec2:DescribeSecurityGroupRules",
        "ec2:DescribeSecurityGroups",
        "elasticloadbalancing:DescribeListeners",
        "elasticloadbalancing:DescribeLoadBalancers",
        "elasticloadbalancing:DescribeRules",
        "elasticloadbalancing:DescribeTags",
        "elasticloadbalancing:DescribeTargetGroups",
        "elasticloadbalancing:DescribeTargetHealth",
        "rds:DescribeDBInstances",
        "rds:DescribeEvents",
        "ssm:DescribeInstanceInformation",
        "ssm:GetAutomationExecution",
        "ssm:GetCommandInvocation",
        "tag:GetResources",
    ]
    return [
        allow(
            "Observe",
            described,
            [Commented("*", "Reading only; most of these take no resource.")],
            {"StringEquals": {"aws:RequestedRegion": sub("${AWS::Region}")}},
        )
    ]


def _change_stacks(stack: Stack) -> list[Value]:
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
            [arn("cloudformation", f"stack/{prefix}-{kind}/*") for kind in CHANGED_STACKS],
        ),
    ]


def _database(stack: Stack) -> list[Value]:
    instances = arn("rds", f"db:{stack.spec.prefix}-db-g*")
    return [
        allow(
            "PromoteAndBringInLine",
            ["rds:ListTagsForResource", "rds:ModifyDBInstance", "rds:PromoteReadReplica"],
            [instances, arn("rds", "pg:*"), arn("rds", "subgrp:*")],
        ),
        allow(
            "NextGeneration",
            ["rds:AddTagsToResource", "rds:CreateDBInstanceReadReplica"],
            [instances, arn("rds", "pg:*"), arn("rds", "subgrp:*")],
        ),
        allow(
            "KeyForNextGeneration",
            ["kms:CreateGrant", "kms:DescribeKey"],
            [arn("kms", "key/*")],
            {
                "StringEquals": {"kms:ViaService": sub("rds.${AWS::Region}.amazonaws.com")} | fleet_tags(stack),
            },
        ),
        allow(
            "MonitoringOfNextGeneration",
            ["iam:PassRole"],
            [sub(f"arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:role/{stack.spec.prefix}-*")],
            {"StringEquals": {"iam:PassedToService": "monitoring.rds.amazonaws.com"}},
        ),
    ]


def _traffic(stack: Stack) -> list[Value]:
    ours = {"StringEquals": fleet_tags(stack)}
    domain = stack.spec.domain.name
    return [
        allow(
            "SwitchAndReadGate",
            ["elasticloadbalancing:ModifyListener", "elasticloadbalancing:ModifyRule"],
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
        allow(
            "NamesAfterwards",
            ["route53:ChangeResourceRecordSets", "route53:GetHostedZone", "route53:ListResourceRecordSets"],
            [sub("arn:${AWS::Partition}:route53:::hostedzone/*")],
            {
                "ForAllValues:StringLike": {
                    "route53:ChangeResourceRecordSetsNormalizedRecordNames": [domain, f"*.{domain}"]
                }
            },
        ),
        allow("NamesInSync", ["route53:GetChange"], [sub("arn:${AWS::Partition}:route53:::change/*")]),
    ]


def _kit(stack: Stack, operations: Operations) -> list[Value]:
    documents = [arn("ssm", f"document/{stack.spec.prefix}-kit-*")]
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


def _failover_tags(stack: Stack) -> list[Value]:
    """Only the keys that the spec replaces during a failover (M10); none, no permission."""
    keys = sorted(stack.spec.failover_tags)
    if not keys:
        return []
    return [
        allow(
            "FailoverTags",
            _TAGGING,
            [Commented("*", "Many types; the conditions name ours, and the keys.")],
            {"StringEquals": fleet_tags(stack), "ForAllValues:StringEquals": {"aws:TagKeys": keys}},
        ),
        allow(
            "FailoverTagsInBulk", ["tag:TagResources"], [Commented("*", "It asks for each service's own permission.")]
        ),
    ]
