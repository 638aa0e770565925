"""What `rejoin` needs beside the operator's rights: a new generation of the database, its fleet, the names.

All of it waits for the lost region to be back, so that Route 53's control plane may be used here.
"""

from __future__ import annotations

from bicoastal.blueprint.access.break_glass import fleet_tags
from bicoastal.blueprint.access.roles import arn
from bicoastal.blueprint.emergency_tag import EMERGENCY_TAG
from bicoastal.blueprint.grants import allow, deny
from bicoastal.blueprint.stack import Stack
from bicoastal.cfn.intrinsics import Commented, Value, sub


def rejoin_statements(stack: Stack) -> list[Value]:
    """The statements of the policy `rejoin`, but for those that change stacks."""
    return [
        *_next_generation(stack),
        *_fleet_of_next_generation(stack),
        *_names(stack),
        not_the_emergency_tag(),
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
                arn("rds", "og:*"),
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
        *_readers(stack),
    ]


def _readers(stack: Stack) -> list[Value]:
    """Readers inside the region go with their generation; their names end with `-r` and a number."""
    if not stack.spec.database.read_replicas:
        return []
    return [allow("OldReaders", ["rds:DeleteDBInstance"], [arn("rds", f"db:{stack.spec.prefix}-db-g*-r*")])]


def _fleet_of_next_generation(stack: Stack) -> list[Value]:
    """Instances are told the new host name by a new version of their launch template, and are replaced for it.

    Auto Scaling lets roll a group only who may launch what its template says. So whoever rejoins can run code as the
    fleet does; whoever fails over cannot.
    """
    ours = fleet_tags(stack)
    made = [arn("ec2", f"{kind}/*") for kind in ("instance", "network-interface", "volume")]
    with_ = [arn("ec2", f"{kind}/*") for kind in ("launch-template", "security-group", "subnet")]
    role = sub(f"arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:role/{stack.spec.prefix}-instance-${{AWS::Region}}")
    return [
        allow(
            "TellTheFleet",
            ["ec2:CreateLaunchTemplateVersion"],
            [arn("ec2", "launch-template/*")],
            {"StringEquals": ours},
        ),
        allow(
            "RollTheFleet",
            [
                "autoscaling:CancelInstanceRefresh",
                "autoscaling:ResumeProcesses",
                "autoscaling:StartInstanceRefresh",
                "autoscaling:SuspendProcesses",
                "autoscaling:TerminateInstanceInAutoScalingGroup",
            ],
            [fleet_groups()],
            {"StringEquals": ours},
        ),
        allow("LaunchByTemplate", ["ec2:RunInstances"], made, {"ArnLike": {"ec2:LaunchTemplate": with_[0]}}),
        allow("LaunchWithOurs", ["ec2:RunInstances"], with_, {"StringEquals": ours}),
        allow(
            "LaunchAmazonLinux",
            ["ec2:RunInstances"],
            [sub("arn:${AWS::Partition}:ec2:${AWS::Region}::image/*")],
            {"StringEquals": {"ec2:Owner": "amazon"}},
        ),
        allow("TagAtLaunch", ["ec2:CreateTags"], made, {"StringEquals": {"ec2:CreateAction": "RunInstances"}}),
        allow(
            "HandRoleToFleet", ["iam:PassRole"], [role], {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}
        ),
    ]


def fleet_groups() -> Value:
    """Auto Scaling groups: their ARNs hold an id that nobody knows beforehand, so a tag condition goes with them."""
    return arn("autoscaling", "autoScalingGroup:*:autoScalingGroupName/*")


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
        allow(
            "SeeChecksSettle",
            ["route53:GetHealthCheck", "route53:GetHealthCheckStatus"],
            [sub("arn:${AWS::Partition}:route53:::healthcheck/*")],
        ),
        allow("FindNames", ["route53:ListHostedZones"], [Commented("*", "This action takes no resource.")]),
        allow("NamesInSync", ["route53:GetChange"], [sub("arn:${AWS::Partition}:route53:::change/*")]),
        allow(
            "MoveEpochOfChecks",
            ["route53:ChangeTagsForResource", "route53:ListTagsForResource", "route53:UpdateHealthCheck"],
            [Commented(sub("arn:${AWS::Partition}:route53:::healthcheck/*"), "Checks take no tag conditions.")],
        ),
    ]


def not_the_emergency_tag() -> Value:
    """Neither later nor at launch: it lets responders in, and is break-glass's alone."""
    return deny(
        "NotTheEmergencyTag",
        ["ec2:CreateTags", "ec2:DeleteTags", "autoscaling:CreateOrUpdateTags"],
        ["*"],
        {"ForAnyValue:StringEquals": {"aws:TagKeys": [EMERGENCY_TAG]}},
    )
