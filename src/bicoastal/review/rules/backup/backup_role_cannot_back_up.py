"""AWS Backup works with the role that a selection names, and with nothing else."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.cfn.deployment import Resource
from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.model.rights import allowed, unread
from bicoastal.review.rule import Hit, Rule, Seen

RULE = Rule(
    "backup-role-cannot-back-up",
    Severity.ERROR,
    "The role of a backup selection cannot make backups",
    "Every job fails with access denied, and the plan looks fine.",
    "Let backup.amazonaws.com take the role, and attach AWSBackupServiceRolePolicyForBackup.",
    ("AWS::Backup::BackupSelection",),
    "https://docs.aws.amazon.com/aws-backup/latest/devguide/iam-service-roles.html",
)


def look(case: Case) -> Iterator[Seen]:
    """Who may take the role, and whether it may make a snapshot of anything."""
    path = ("BackupSelection", "IamRoleArn")
    for item in case.deployment.of_type(*RULE.types):
        role = case.deployment.resource(item.get(*path))
        if role is None or role.type != "AWS::IAM::Role":
            continue
        if not case.identities.trusts(role, "backup.amazonaws.com"):
            yield Hit(item, f"AWS Backup may not take {role.logical_id}.", path)
        elif not unread(case.deployment, role) and not _may(case, role):
            yield Hit(item, f"{role.logical_id} may make no snapshot of anything.", path)


def _may(case: Case, role: Resource) -> bool:
    """Some right that backups are made with; what a policy allows under conditions counts."""
    making = ("rds:CreateDBSnapshot", "ec2:CreateSnapshot", "dynamodb:StartAwsBackupJob", "dynamodb:CreateBackup")
    more = ("backup:StartBackupJob", "elasticfilesystem:Backup", "s3:GetObjectVersion", "rds:CreateDBClusterSnapshot")
    return any(allowed(case.deployment, case.identities, role, name) is not False for name in (*making, *more))
