"""A backup counts when it was restored: each week the newest one in each vault becomes a database for some hours.

In the region of the primary that proves the backup, in the other one the copy. The restored database stands where
nobody can reach it: it holds the customers' rows. It adds to the stack of `backup` and has none of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

from bicoastal.blueprint.foundation import Foundation
from bicoastal.blueprint.grants import allow, policy, trust
from bicoastal.blueprint.network import Network
from bicoastal.blueprint.stack import DataClass, Resource, Stack
from bicoastal.blueprint.vault import Vault
from bicoastal.cfn.intrinsics import Commented, Value, join, ref, sub

VALIDATION_HOURS = 4
TEST_DATABASES = "awsbackup-restore-test-*"
"""How AWS Backup names what it restores for a test."""


def restore(stack: Stack, foundation: Foundation, network: Network, vault: Vault, boundary: Value) -> Resource:
    """Add the restore-testing plan; returns the role that restores run as."""
    group = _unreachable(stack, network)
    subnets = stack.add(
        "RestoreSubnets",
        "AWS::RDS::DBSubnetGroup",
        {
            "DBSubnetGroupDescription": f"{stack.spec.prefix}: where restored databases stand",
            "SubnetIds": stack.input(network.data_subnets),
        },
    )
    role = _role(stack, subnets, [stack.input(foundation.data_key_arn), stack.input(vault.key_arn)], boundary)
    name = _identifier(f"{stack.spec.prefix}-weekly")
    plan = stack.add(
        "RestoreTestingPlan",
        "AWS::Backup::RestoreTestingPlan",
        {
            "RestoreTestingPlanName": name,
            "ScheduleExpression": ref("RestoreTestSchedule"),
            "ScheduleExpressionTimezone": ref("BackupTimeZone"),
            "StartWindowHours": 8,
            "RecoveryPointSelection": {
                "Algorithm": "LATEST_WITHIN_WINDOW",
                "IncludeVaults": [stack.input(vault.arn)],
                "RecoveryPointTypes": ["SNAPSHOT"],
                "SelectionWindowDays": 7,
            },
        },
    )
    stack.add(
        "RestoreTestingSelection",
        "AWS::Backup::RestoreTestingSelection",
        {
            "RestoreTestingPlanName": plan.ref,
            "RestoreTestingSelectionName": "databases",
            "ProtectedResourceType": "RDS",
            "ProtectedResourceArns": Commented(
                ["*"], "Whatever is in the vault: the copies there bear the ARN of the other region's database."
            ),
            "IamRoleArn": role.att("Arn"),
            "RestoreMetadataOverrides": {
                "dbSubnetGroupName": subnets.ref,
                "vpcSecurityGroupIds": join("", ['["', group.att("GroupId"), '"]']),
                "publiclyAccessible": "false",
                "multiAz": "false",
            },
            "ValidationWindowHours": Commented(
                VALIDATION_HOURS, "How long the restored database stays to be looked at; then AWS Backup deletes it."
            ),
        },
    )
    return role


def _identifier(text: str) -> str:
    """Restore-testing plans take letters, digits and underscores, 50 at most."""
    return text.replace("-", "_")[:50]


def _unreachable(stack: Stack, network: Network) -> Resource:
    return stack.add(
        "RestoredDatabase",
        "AWS::EC2::SecurityGroup",
        {
            "GroupDescription": "Restored for a test: nobody connects to it, and it connects to nobody",
            "VpcId": stack.input(network.vpc_id),
            "SecurityGroupEgress": Commented(
                [{"IpProtocol": "-1", "CidrIp": "127.0.0.1/32", "Description": "Nowhere"}],
                "An empty list would be replaced by EC2's default, everywhere.",
            ),
        },
    )


def _role(stack: Stack, subnets: Resource, keys: Sequence[Value], boundary: Value) -> Resource:
    prefix = stack.spec.prefix
    account = "arn:${AWS::Partition}:rds:${AWS::Region}:${AWS::AccountId}"
    databases = [sub(f"{account}:db:{TEST_DATABASES}"), sub(f"{account}:db:{prefix}-restored-*")]
    snapshots = sub(f"{account}:snapshot:awsbackup:*")
    surroundings = [
        sub(f"{account}:subgrp:${{{subnets.logical_id}}}"),
        sub(f"{account}:subgrp:{prefix}-*"),
        sub(f"{account}:pg:*"),
        sub(f"{account}:og:*"),
    ]
    statements = [
        allow(
            "RestoreUnderOurNames",
            ["rds:RestoreDBInstanceFromDBSnapshot"],
            [*databases, snapshots, *surroundings],
        ),
        allow("TagAndRemoveWhatWasRestored", ["rds:AddTagsToResource", "rds:DeleteDBInstance"], databases),
        allow(
            "SeeWhatIsThere",
            ["rds:DescribeDBInstances", "rds:DescribeDBSnapshots", "rds:ListTagsForResource"],
            [sub(f"{account}:db:*"), sub(f"{account}:snapshot:*")],
        ),
        allow("LetRdsUseTheKeys", ["kms:CreateGrant"], list(keys), {"Bool": {"kms:GrantIsForAWSResource": "true"}}),
        allow(
            "ReadWithTheKeys", ["kms:DescribeKey", "kms:Decrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"], list(keys)
        ),
    ]
    return service_role(stack, "RestoreRole", "restore", boundary, statements)


def service_role(stack: Stack, logical_id: str, what: str, boundary: Value, statements: Sequence[Value]) -> Resource:
    """A role that AWS Backup takes on. Who may hand it over is decided by `iam:PassRole`, in this account alone."""
    return stack.add(
        logical_id,
        "AWS::IAM::Role",
        {
            "RoleName": sub(f"{stack.spec.prefix}-{what}-${{AWS::Region}}"),
            "Description": f"{stack.spec.prefix}: AWS Backup's {what}s",
            "AssumeRolePolicyDocument": trust({"Service": "backup.amazonaws.com"}),
            "PermissionsBoundary": boundary,
            "Policies": [{"PolicyName": what, "PolicyDocument": policy(statements)}],
        },
        data_class=DataClass.CUSTOMER,
    )
