"""Where data may be, as policies that AWS enforces (M2): the boundary of every role, and an SCP for everybody else.

The boundary stops the roles that we create. It stops nobody else: the people and pipelines of the account are bound by
the SCP, which is written beside the templates, because only the organization's management account can attach it. An
SCP does not bind that management account, nor service-linked roles.

`aws:RequestedRegion` is the region of the endpoint that was called, not where the call's effect is. Calls that make a
copy elsewhere from an endpoint at home are therefore denied by name. Services without regions answer in us-east-1 and
are exempt in the SCP; the roles of the deployment may not use most of these at all.
"""

from __future__ import annotations

import json
from typing import Any, Final

from bicoastal.blueprint.emergency_tag import deny_emergency_tag
from bicoastal.blueprint.grants import allow, deny, policy
from bicoastal.cfn.intrinsics import Value, sub
from bicoastal.spec.model import Spec

WORKLOAD_ACTIONS: Final = (
    "autoscaling:*",
    "backup:*",
    "backup-storage:*",
    "cloudformation:*",
    "cloudwatch:*",
    "ec2:*",
    "ec2messages:*",
    "elasticloadbalancing:*",
    "events:*",
    "firehose:*",
    "kms:*",
    "logs:*",
    "rds:*",
    "s3:*",
    "scheduler:*",
    "secretsmanager:*",
    "sns:*",
    "ssm:*",
    "ssmmessages:*",
    "sts:*",
    "tag:*",
)
"""The services that roles of this deployment use. A role's own policy says which action, on what."""

GLOBAL_SERVICES: Final = (
    "access-analyzer:*",
    "account:*",
    "aws-portal:*",
    "billing:*",
    "budgets:*",
    "ce:*",
    "cloudfront:*",
    "consolidatedbilling:*",
    "cur:*",
    "ec2:DescribeRegions",
    "freetier:*",
    "globalaccelerator:*",
    "health:*",
    "iam:*",
    "networkmanager:*",
    "notifications:*",
    "organizations:*",
    "payments:*",
    "pricing:*",
    "resource-explorer-2:*",
    "route53:*",
    "route53domains:*",
    "s3:GetAccountPublicAccessBlock",
    "s3:GetBucketLocation",
    "s3:ListAllMyBuckets",
    "s3:PutAccountPublicAccessBlock",
    "savingsplans:*",
    "shield:*",
    "sso:*",
    "sts:*",
    "support:*",
    "supportplans:*",
    "tax:*",
    "trustedadvisor:*",
    "waf:*",
)
"""Services whose endpoint is global: without these an account cannot be run. Not here: KMS, and WAF's regional API."""


def declared_regions(spec: Spec) -> list[str]:
    """Every region that the spec lets data be in: home, standby, copies; sorted."""
    return sorted({*spec.regions, *spec.copies})


def boundary_document(spec: Spec) -> dict[str, Value]:
    """The permissions boundary: the most that a role may do, wherever its own policy comes from."""
    return policy(
        [
            allow("ServicesOfThisDeployment", WORKLOAD_ACTIONS, ["*"]),
            allow(
                "PassRolesOfThisDeployment",
                ["iam:PassRole", "iam:GetRole"],
                [sub(f"arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:role/{spec.prefix}-*")],
            ),
            _stay_in_declared_regions(spec, ("iam:PassRole", "iam:GetRole", "sts:*")),
            *_no_copies_elsewhere(spec),
            deny("NoWayOutOfTheBoundary", _IDENTITY_CHANGES, ["*"]),
            deny("KeysBackupsAndEvidenceStay", _IRREVERSIBLE, ["*"]),
            *deny_emergency_tag(spec),
        ]
    )


def scp_document(spec: Spec) -> dict[str, Any]:
    """The service control policy for the account: plain JSON, within Organizations' 5,120 characters.

    Keys, replication of buckets and the boundary are left to CloudFormation with its caller's own rights. With a
    service role it is not seen as CloudFormation here (`aws:CalledVia` is absent then): such a role has to be excepted
    by name.
    """
    ours = {f"aws:ResourceTag/{key}": value for key, value in _identity_tags(spec).items()}
    by_hand = {"ForAllValues:StringNotEquals": {"aws:CalledVia": ["cloudformation.amazonaws.com"]}}
    return policy(
        [
            _stay_in_declared_regions(spec, GLOBAL_SERVICES),
            *_no_copies_elsewhere(spec),
            deny("KeysGoByCloudFormationOnly", _KEY_LOSS, ["*"], {"StringEquals": ours, **by_hand}),
            deny(
                "BoundaryChangesByCloudFormationOnly",
                (
                    "iam:CreatePolicyVersion",
                    "iam:DeletePolicy",
                    "iam:DeletePolicyVersion",
                    "iam:DeleteRolePermissionsBoundary",
                    "iam:PutRolePermissionsBoundary",
                    "iam:SetDefaultPolicyVersion",
                ),
                [f"arn:*:iam::*:policy/{spec.prefix}-boundary-*", f"arn:*:iam::*:role/{spec.prefix}-*"],
                by_hand,
            ),
            deny(
                "BucketsReplicateByCloudFormationOnly",
                ("s3:PutReplicationConfiguration",),
                [f"arn:*:s3:::{spec.prefix}-*"],
                by_hand,
            ),
            deny(
                "RolesOfThisDeploymentAreBounded",
                ("iam:CreateRole", "iam:PutRolePermissionsBoundary"),
                [f"arn:*:iam::*:role/{spec.prefix}-*"],
                {"ArnNotLike": {"iam:PermissionsBoundary": f"arn:*:iam::*:policy/{spec.prefix}-boundary-*"}},
            ),
            deny("StayInTheOrganization", ("organizations:LeaveOrganization",), ["*"]),
            *deny_emergency_tag(spec),
        ]
    )


def scp_json(spec: Spec) -> str:
    """The policy's file."""
    return json.dumps(scp_document(spec), indent=1) + "\n"


_IDENTITY_CHANGES: Final = (
    "account:*",
    "iam:Add*",
    "iam:Attach*",
    "iam:Create*",
    "iam:Delete*",
    "iam:Detach*",
    "iam:Put*",
    "iam:Remove*",
    "iam:Set*",
    "iam:Tag*",
    "iam:Untag*",
    "iam:Update*",
    "organizations:*",
)
_KEY_LOSS: Final = ("kms:DisableKey", "kms:DisableKeyRotation", "kms:PutKeyPolicy", "kms:ScheduleKeyDeletion")
_IRREVERSIBLE: Final = (
    *_KEY_LOSS,
    "backup:DeleteBackupVault*",
    "backup:DeleteRecoveryPoint",
    "backup:PutBackupVaultAccessPolicy",
    "ec2:DeleteFlowLogs",
    "logs:DeleteLogGroup",
    "logs:DeleteLogStream",
    "logs:DeleteRetentionPolicy",
    "s3:DeleteBucket*",
    "s3:DeleteObjectVersion",
    "s3:PutBucketAcl",
    "s3:PutBucketPolicy",
    "s3:PutBucketPublicAccessBlock",
    "s3:PutLifecycleConfiguration",
    "s3:PutReplicationConfiguration",
)


def _stay_in_declared_regions(spec: Spec, exempt: tuple[str, ...]) -> dict[str, Value]:
    """Every call but the exempt ones goes to an endpoint of a declared region."""
    return {
        "Sid": "StayInDeclaredRegions",
        "Effect": "Deny",
        "NotAction": list(exempt),
        "Resource": ["*"],
        "Condition": {"StringNotEquals": {"aws:RequestedRegion": declared_regions(spec)}},
    }


def _no_copies_elsewhere(spec: Spec) -> list[Value]:
    """Calls whose effect is in another region, or in another account, than the endpoint that takes them."""
    regions = declared_regions(spec)
    return [
        deny(
            "SecretsReplicateToDeclaredRegions",
            ("secretsmanager:CreateSecret", "secretsmanager:ReplicateSecretToRegions"),
            ["*"],
            {"ForAnyValue:StringNotEquals": {"secretsmanager:AddReplicaRegions": regions}},
        ),
        deny(
            "KeysReplicateToDeclaredRegions",
            ("kms:ReplicateKey",),
            ["*"],
            {"StringNotEquals": {"kms:ReplicaRegion": regions}},
        ),
        deny(
            "BackupsCopyToDeclaredRegions",
            ("backup:CopyFromBackupVault",),
            ["*"],
            {
                "ForAnyValue:ArnNotLike": {
                    "backup:CopyTargets": [f"arn:*:backup:{region}:*:backup-vault:*" for region in regions]
                }
            },
        ),
        deny(
            "NothingIsSharedWithOtherAccounts",
            ("ec2:ModifyImageAttribute", "ec2:ModifySnapshotAttribute", "rds:ModifyDBSnapshotAttribute"),
            ["*"],
        ),
    ]


def _identity_tags(spec: Spec) -> dict[str, str]:
    return {"application": spec.name, "environment": spec.environment, "managed-by": "bicoastal"}
