"""The operators' policies: inside IAM's limit, and holding what CloudFormation needs when a live parameter moves.

What a handler calls is in AWS's own schemas. Which handlers run is found by evaluating the deployment before and after
each operation, so that a parameter that moves something new makes these tests ask for its permission.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from bicoastal.blueprint.access.operator import FAILOVER_STACKS, REJOIN_STACKS
from bicoastal.blueprint.emergency_tag import EMERGENCY_TAG
from bicoastal.blueprint.stacks import compose
from bicoastal.cfn.manifest import Live
from bicoastal.spec.model import Spec
from tests.support.deployed import deployed, plain
from tests.support.iam import Request, allowed
from tests.support.specs import spec

Json = Any
Moves = Mapping[tuple[str, str], str]
SPEC = spec(routing="failover", failover_tags={"mode": "failover"})
FAILOVER: Moves = {
    ("database/us-west-2", "DatabaseRole"): "primary",
    ("database/us-west-2", "SourceDatabaseArn"): "",
    ("service/us-west-2", "ReadGate"): "closed",
    ("service/us-west-2", "Switch"): "on:2;",
    ("backup/us-west-2", "DatabaseRole"): "primary",
}
REJOIN: Moves = {
    ("database/us-east-1", "DatabaseRole"): "replica",
    ("database/us-east-1", "DatabaseOrigin"): "replica",
    ("database/us-east-1", "DatabaseGeneration"): "2",
    ("backup/us-east-1", "DatabaseRole"): "replica",
    # What follows from the new generation by wires.
    ("backup/us-east-1", "DatabaseArn"): "arn:aws:rds:us-east-1:123456789012:db:orders-production-db-g2",
    ("monitoring/us-east-1", "DatabaseId"): "orders-production-db-g2",
    ("service/us-east-1", "DatabaseHost"): "orders-production-db-g2.example",
    ("service/us-west-2", "OtherDatabaseHost"): "orders-production-db-g2.example",
    ("checks/us-east-1", "Epoch"): "2",
    ("checks/us-east-1", "NextEpoch"): "3",
}
NOT_CALLED = {
    "iam:CreateServiceLinkedRole": "the roles were made by the first deploy",
    "rds:AddRoleToDBInstance": "no feature role is attached",
    "rds:RemoveRoleFromDBInstance": "no feature role is attached",
    "rds:StartDBInstanceAutomatedBackupsReplication": "not used: AWS Backup copies",
    "rds:StopDBInstanceAutomatedBackupsReplication": "not used: AWS Backup copies",
    "rds:RestoreDBInstanceFromDBSnapshot": "a replica is made from its source",
    "rds:RestoreDBInstanceToPointInTime": "a replica is made from its source",
    "secretsmanager:CreateSecret": "the master's password is not RDS's (D8)",
    "secretsmanager:TagResource": "the master's password is not RDS's (D8)",
    "logs:DisassociateKmsKey": "the key stays",
    "logs:DeleteRetentionPolicy": "the retention stays",
    "logs:UntagResource": "the tags stay",
    "logs:GetDataProtectionPolicy": "none is set",
    "logs:PutDataProtectionPolicy": "none is set",
    "logs:CreateLogDelivery": "vended logs only",
    "logs:PutIndexPolicy": "none is set",
    "logs:DeleteIndexPolicy": "none is set",
    "logs:DescribeIndexPolicies": "none is set",
    "logs:PutResourcePolicy": "none is set",
    "logs:DescribeResourcePolicies": "none is set",
    "logs:DeleteResourcePolicy": "none is set",
    "logs:PutLogGroupDeletionProtection": "not set",
    "logs:PutBearerTokenAuthentication": "not set",
    "s3:REST.PUT.OBJECT": "vended logs only",
    "firehose:TagDeliveryStream": "vended logs only",
    "cognito-idp:DescribeUserPoolClient": "the listener authenticates nobody",
    "elasticloadbalancing:AddTags": "the tags stay",
    "elasticloadbalancing:RemoveTags": "the tags stay",
    "elasticloadbalancing:SetRulePriorities": "the priorities stay",
    "ec2:CreateTags": "the tags of the launch template stay",
    "ec2:DeleteTags": "the tags of the launch template stay",
    "ec2:Get*": "no reservation, no attribute-based choice of types",
    "ssm:Get*": "the image is an id, not a parameter",
    "managed-fleets:Get*": "an Auto Scaling group, not a managed fleet",
    "managed-fleets:RegisterAutoScalingGroup": "an Auto Scaling group, not a managed fleet",
    "managed-fleets:DeregisterAutoScalingGroup": "an Auto Scaling group, not a managed fleet",
    "managed-fleets:UpdateAutoScalingGroup": "an Auto Scaling group, not a managed fleet",
    "vpc-lattice:DeregisterTargets": "no traffic source of that kind",
    "vpc-lattice:GetTargetGroup": "no traffic source of that kind",
    "vpc-lattice:ListTargets": "no traffic source of that kind",
    "vpc-lattice:RegisterTargets": "no traffic source of that kind",
    "autoscaling:CreateOrUpdateTags": "the tags stay",
    "autoscaling:DeleteTags": "the tags stay",
    "autoscaling:EnableMetricsCollection": "the metrics stay",
    "autoscaling:DisableMetricsCollection": "the metrics stay",
    "autoscaling:PutNotificationConfiguration": "none is set",
    "autoscaling:DeleteNotificationConfiguration": "none is set",
    "autoscaling:AttachLoadBalancers": "classic load balancers only",
    "autoscaling:DetachLoadBalancers": "classic load balancers only",
    "autoscaling:AttachLoadBalancerTargetGroups": "the target groups stay",
    "autoscaling:DetachLoadBalancerTargetGroups": "the target groups stay",
    "autoscaling:AttachTrafficSources": "the target groups stay",
    "autoscaling:DetachTrafficSources": "the target groups stay",
    "autoscaling:PutLifecycleHook": "none is set",
    "autoscaling:DeleteLifecycleHook": "none is set",
}
"""Permissions of the handlers for what these resources do not have."""


def documents(of: Spec = SPEC, region: str = "us-east-1") -> dict[str, Json]:
    resources = deployed(of).stacks[f"access/{region}"].resources
    names = [
        name for name in ("OperatorPolicy", "RejoinPolicy", "RestorerPolicy", "FailoverTagsPolicy") if name in resources
    ]
    return {name: plain(resources[name].get("PolicyDocument")) for name in names}


def handlers(before: Moves, after: Moves) -> set[tuple[str, str]]:
    """Type and handler (create, update, delete) of every resource that differs."""

    def seen(moves: Moves) -> dict[tuple[str, str], tuple[str, str]]:
        return {
            (stack.id, name): (resource.type, json.dumps(plain(resource.properties), sort_keys=True))
            for stack in deployed(SPEC, dict(moves)).stacks.values()
            for name, resource in stack.resources.items()
        }

    old, new = seen(before), seen(after)
    ran = set()
    for key in {*old, *new}:
        was, is_ = old.get(key), new.get(key)
        if was != is_:
            ran.add(((was or is_ or ("", ""))[0], "create" if was is None else "delete" if is_ is None else "update"))
    return ran


def permissions(type_: str, handler: str) -> set[str]:
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", type_).schema
    return set(schema["handlers"][handler]["permissions"]) - set(NOT_CALLED)


def named(action: str, granted: list[Json]) -> bool:
    """Whether a statement allows the action at all; on which resources is AWS's to say."""
    return any(
        allowed(Request(action), [{"Statement": {"Effect": "Allow", "Action": statement["Action"], "Resource": "*"}}])
        for document in granted
        for statement in document["Statement"]
        if statement["Effect"] == "Allow"
    )


def missing(before: Moves, after: Moves, granted: list[Json], also: set[tuple[str, str]] = frozenset()) -> list[str]:  # type: ignore[assignment]
    return sorted(
        f"{action} ({type_} {handler})"
        for type_, handler in handlers(before, after) | also
        for action in permissions(type_, handler)
        if not named(action, granted)
    )


def test_a_failover_needs_the_operators_policy_alone() -> None:
    ran = handlers({}, FAILOVER)
    assert ("AWS::RDS::DBInstance", "update") in ran
    assert ("AWS::ElasticLoadBalancingV2::ListenerRule", "update") in ran
    assert not [type_ for type_, _ in ran if type_.startswith("AWS::Route53")], "D4: no Route 53 API on that path"
    assert missing({}, FAILOVER, [documents()["OperatorPolicy"]]) == []


def test_a_rejoin_needs_both() -> None:
    back = {**FAILOVER, **REJOIN, ("service/us-west-2", "Switch"): "off", ("service/us-west-2", "ReadGate"): "open"}
    # Another generation has another identifier: RDS and the log groups see a creation, not an update.
    created = {("AWS::RDS::DBInstance", "create"), ("AWS::Logs::LogGroup", "create")}
    assert ("AWS::EC2::LaunchTemplate", "update") in handlers(FAILOVER, back)
    # The group names its template's latest version, which is only known once there is one.
    created.add(("AWS::AutoScaling::AutoScalingGroup", "update"))
    granted = documents()
    assert missing(FAILOVER, back, list(granted.values()), created) == []
    assert missing(FAILOVER, back, [granted["OperatorPolicy"]], created), "the second policy is there for something"


def test_every_stack_whose_parameters_an_operation_moves_is_one_that_operators_may_change() -> None:
    deployment = compose(SPEC)
    moved = {
        stack.kind
        for stack in deployment.stacks
        for region in stack.regions
        if any(isinstance(source, Live) for source in stack.sources[region].values())
    }
    assert moved <= set(REJOIN_STACKS)
    assert {stack_id.partition("/")[0] for stack_id, _ in FAILOVER} <= set(FAILOVER_STACKS)


@pytest.mark.parametrize("name", ["OperatorPolicy", "RejoinPolicy", "RestorerPolicy", "FailoverTagsPolicy"])
def test_a_policy_fits_iams_limit_for_the_longest_spec(name: str) -> None:
    longest = spec(
        name="a" * 16,
        environment="b" * 12,
        database={"read_replicas": 1},
        failover_tags={"mode": "failover", "cost-center": "9999"},
        regions={
            "ap-southeast-2": {"role": "home", "cidr": "10.10.0.0/16"},
            "ap-northeast-1": {"role": "standby", "cidr": "10.20.0.0/16"},
        },
    )
    text = json.dumps(documents(longest, "ap-southeast-2")[name], separators=(",", ":"))
    assert len(text.replace("${AWS::AccountId}", "1" * 12)) <= 6144


@pytest.mark.parametrize(
    "action",
    [
        "rds:DeleteDBInstance",
        "cloudformation:DeleteStack",
        "cloudformation:CreateStack",
        "ec2:TerminateInstances",
        "ssm:StartSession",
        "secretsmanager:GetSecretValue",
        "iam:CreateRole",
        "route53:DeleteHostedZone",
    ],
)
def test_operators_neither_delete_nor_read_data(action: str) -> None:
    granted = documents()
    del granted["RestorerPolicy"]
    assert not named(action, list(granted.values()))


def test_restorers_remove_what_was_restored_and_nothing_else() -> None:
    restorer = [documents()["RestorerPolicy"]]
    database = "arn:aws:rds:us-east-1:${AWS::AccountId}:db:orders-production"
    snapshot = "arn:aws:rds:us-east-1:${AWS::AccountId}:snapshot"
    assert allowed(Request("rds:DeleteDBInstance", f"{database}-restored-20261127-0500-1a2b"), restorer)
    assert not allowed(Request("rds:DeleteDBInstance", f"{database}-db-g1"), restorer)
    assert allowed(Request("backup:StartRestoreJob", f"{snapshot}:awsbackup:job-1"), restorer)
    assert not allowed(Request("backup:StartRestoreJob", f"{snapshot}:somebodys"), restorer)
    assert not named("backup:DeleteRecoveryPoint", restorer)
    assert not named("rds:ModifyDBInstance", restorer)


def test_operators_keep_their_journal_in_the_artifact_bucket_and_read_nothing_else_there() -> None:
    operator = [documents()["OperatorPolicy"]]
    (place,) = [item for item in operator[0]["Statement"] if item["Sid"] == "JournalAndLock"]
    (objects,) = place["Resource"]
    assert objects.endswith("/operations/*")
    assert set(place["Action"]) == {"s3:DeleteObject", "s3:GetObject", "s3:PutObject"}
    (key,) = [item for item in operator[0]["Statement"] if item["Sid"] == "KeyOfJournal"]
    assert "s3." in key["Condition"]["StringEquals"]["kms:ViaService"]
    assert named("s3:GetObject", operator)
    assert not named("s3:GetObject", [documents()["RejoinPolicy"]])


def test_who_fails_over_launches_nothing_and_who_rejoins_only_what_the_fleets_template_says() -> None:
    granted = documents()
    assert not named("ec2:RunInstances", [granted["OperatorPolicy"]])
    assert not named("ec2:CreateLaunchTemplateVersion", [granted["OperatorPolicy"]])
    rejoin = [granted["RejoinPolicy"]]
    here = "arn:aws:ec2:us-east-1:${AWS::AccountId}"
    ours = {"aws:ResourceTag/application": "orders", "aws:ResourceTag/environment": "production"}
    template = {"ec2:LaunchTemplate": f"{here}:launch-template/lt-1"}
    assert allowed(Request("ec2:RunInstances", f"{here}:instance/i-1", template), rejoin)
    assert not allowed(Request("ec2:RunInstances", f"{here}:instance/i-1"), rejoin)
    assert allowed(Request("ec2:RunInstances", f"{here}:launch-template/lt-1", ours), rejoin)
    assert not allowed(Request("ec2:RunInstances", f"{here}:subnet/subnet-1", {**ours, next(iter(ours)): "x"}), rejoin)
    image = "arn:aws:ec2:us-east-1::image/ami-1"
    assert allowed(Request("ec2:RunInstances", image, {"ec2:Owner": "amazon"}), rejoin)
    assert not allowed(Request("ec2:RunInstances", image, {"ec2:Owner": "123456789012"}), rejoin)
    role = "arn:aws:iam::${AWS::AccountId}:role/orders-production-"
    to_instances = {"iam:PassedToService": "ec2.amazonaws.com"}
    assert allowed(Request("iam:PassRole", f"{role}instance-us-east-1", to_instances), rejoin)
    assert not allowed(Request("iam:PassRole", f"{role}bootstrap-us-east-1", to_instances), rejoin)


def test_readers_go_with_their_generation_and_nothing_else_does() -> None:
    with_readers = list(documents(spec(database={"read_replicas": 1})).values())
    database = "arn:aws:rds:us-east-1:${AWS::AccountId}:db:orders-production-db-g1"
    assert allowed(Request("rds:DeleteDBInstance", f"{database}-r1"), with_readers)
    assert not allowed(Request("rds:DeleteDBInstance", database), with_readers)


def test_operators_run_our_documents_on_our_instances_only() -> None:
    operator = [documents()["OperatorPolicy"]]
    here = "us-east-1:${AWS::AccountId}"
    instance = f"arn:aws:ec2:{here}:instance/i-1"
    status = "orders-production-kit-status"
    ours = {"ssm:resourceTag/application": "orders", "ssm:resourceTag/environment": "production"}
    assert allowed(Request("ssm:SendCommand", f"arn:aws:ssm:{here}:document/{status}"), operator)
    assert allowed(Request("ssm:SendCommand", instance, ours), operator)
    assert not allowed(Request("ssm:SendCommand", instance, {**ours, "ssm:resourceTag/application": "x"}), operator)
    assert not allowed(Request("ssm:SendCommand", "arn:aws:ssm:us-east-1::document/AWS-RunShellScript"), operator)


def test_failover_tags_are_the_specs_and_never_the_emergency_tag() -> None:
    tagging = [documents()["FailoverTagsPolicy"]]
    context = {"aws:RequestedRegion": "us-east-1"}

    def may_tag(*keys: str) -> bool:
        return allowed(Request("ec2:CreateTags", "*", {**context, "aws:TagKeys": list(keys)}), tagging)

    assert may_tag("mode")
    assert allowed(Request("tag:TagResources", "*", context), tagging), "the tagging API itself knows no keys"
    bucket = "arn:aws:s3:::orders-production-files-${AWS::AccountId}-us-east-1"
    assert allowed(Request("s3:PutBucketTagging", bucket, context), tagging), "nor does S3"
    assert not allowed(Request("s3:PutBucketTagging", "arn:aws:s3:::others", context), tagging)
    assert not may_tag("mode", "other")
    assert not may_tag(EMERGENCY_TAG)
    assert "FailoverTagsPolicy" not in documents(spec()), "no failover tags, no permission"


def test_what_a_rejoin_launches_is_tagged_by_its_template_alone() -> None:
    rejoin = [documents()["RejoinPolicy"]]
    instance = "arn:aws:ec2:us-east-1:${AWS::AccountId}:instance/i-1"
    at_launch = {"ec2:CreateAction": "RunInstances", "aws:TagKeys": ["Name", "application"]}
    assert allowed(Request("ec2:CreateTags", instance, at_launch), rejoin)
    assert not allowed(Request("ec2:CreateTags", instance, {"aws:TagKeys": ["Name"]}), rejoin), "only at launch"
    emergency = {**at_launch, "aws:TagKeys": ["Name", EMERGENCY_TAG]}
    assert not allowed(Request("ec2:CreateTags", instance, emergency), rejoin)


def test_the_backup_of_the_new_primary_can_be_selected() -> None:
    statements = {item["Sid"]: item for item in documents()["OperatorPolicy"]["Statement"]}
    role = plain(deployed(SPEC).stacks["backup/us-east-1"].resources["BackupRole"].get("RoleName"))
    (pattern,) = statements["HandRoles"]["Resource"]
    request = Request(
        "iam:PassRole", pattern.rpartition("role/")[0] + f"role/{role}", {"iam:PassedToService": "backup.amazonaws.com"}
    )
    assert allowed(request, [documents()["OperatorPolicy"]])
