"""Where backups are kept: a vault in each region, with a key of its own, that nobody empties before the time (M2, M11).

A stack of its own, because each region's plan copies into the other region's vault: both vaults stand before either
plan.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bicoastal.blueprint.grants import policy
from bicoastal.blueprint.stack import DataClass, Output, Resource, Stack
from bicoastal.cfn.intrinsics import Commented, Value, sub
from bicoastal.spec.model import Spec

VAULT_ARN = "arn:${AWS::Partition}:backup:%s:${AWS::AccountId}:backup-vault:%s"


@dataclass(frozen=True)
class Vault:
    """The vault of a region, in a stack that stands in both."""

    stack: Stack
    name: Output
    arn: Output
    key_arn: Output
    """Encrypts copies that arrive from the other region; RDS's own snapshots keep the database's key."""


def other_region(spec: Spec, region: str) -> str:
    """The other one of the two."""
    return spec.standby if region == spec.home else spec.home


def vault(spec: Spec) -> Vault:
    """The vault and its key, in both regions."""
    stack = Stack(spec, "vault", f"Backups of {spec.prefix}: the vault and its key.", protected=True)
    stack.setting(
        "OtherRegion",
        {region: other_region(spec, region) for region in stack.regions},
        "The other one of the two regions.",
    )
    key = _key(stack)
    made = _vault(stack, key)
    return Vault(
        stack,
        stack.output("BackupVaultName", made.ref, "Name of the region's vault."),
        stack.output("BackupVaultArn", made.att("BackupVaultArn"), "ARN of the region's vault."),
        stack.output("BackupKeyArn", key.att("Arn"), "Key of the region's vault."),
    )


def _key(stack: Stack) -> Resource:
    statement = {
        "Sid": "AccountDecidesByIam",
        "Effect": "Allow",
        "Principal": {"AWS": sub("arn:${AWS::Partition}:iam::${AWS::AccountId}:root")},
        "Action": "kms:*",
        "Resource": "*",
    }
    key = stack.add(
        "BackupKey",
        "AWS::KMS::Key",
        {
            "Description": f"{stack.spec.prefix}: backups in the vault",
            "EnableKeyRotation": True,
            "PendingWindowInDays": 30,
            "KeyPolicy": policy([statement]),
        },
        comment="Apart from the database's key: whoever loses or deletes that one has not lost the copies in the "
        "other region.",
        data_class=DataClass.CUSTOMER,
        retain=True,
    )
    stack.add(
        "BackupKeyAlias",
        "AWS::KMS::Alias",
        {"AliasName": f"alias/{stack.spec.prefix}/backup", "TargetKeyId": key.ref},
    )
    return key


def _vault(stack: Stack, key: Resource) -> Resource:
    spec = stack.spec
    keep = [spec.regions[region].backup.keep_days for region in stack.regions]
    return stack.add(
        "BackupVault",
        "AWS::Backup::BackupVault",
        {
            "BackupVaultName": spec.prefix,
            "EncryptionKeyArn": key.att("Arn"),
            "AccessPolicy": policy([_no_early_end(), _no_copies_elsewhere(spec)]),
            "LockConfiguration": Commented(
                {"MinRetentionDays": min(keep), "MaxRetentionDays": max(keep)},
                "Governance mode: without ChangeableForDays the lock holds against everybody who may not change the "
                "vault, and a mistake in the numbers can still be mended. Both regions' days fit, as copies keep "
                "their own.",
            ),
        },
        comment="Kept when the stack is deleted: AWS deletes no vault that holds a recovery point.",
        data_class=DataClass.CUSTOMER,
        retain=True,
    )


def _no_early_end() -> Mapping[str, Value]:
    return {
        "Sid": "BackupsEndByTheirLifecycleAlone",
        "Effect": "Deny",
        "Principal": "*",
        "Action": ["backup:DeleteRecoveryPoint", "backup:UpdateRecoveryPointLifecycle"],
        "Resource": "*",
    }


def _no_copies_elsewhere(spec: Spec) -> Mapping[str, Value]:
    """Both regions are among the spec's `residency`; no third one is."""
    there = sub(VAULT_ARN % ("${OtherRegion}", spec.prefix))
    return {
        "Sid": "CopiesStayWhereTheSpecSays",
        "Effect": "Deny",
        "Principal": "*",
        "Action": ["backup:CopyFromBackupVault"],
        "Resource": "*",
        "Condition": {"ForAllValues:ArnNotLike": {"backup:CopyTargets": [there]}},
    }
