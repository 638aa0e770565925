"""The backup that is kept: on weekdays, in the region's night, of the primary alone, copied where it may be (M11).

RDS's automated backups are something else (D10): they run daily because replication needs them, and are kept a day or
so. Which region's database is the primary is live: only there is anything selected. `restore` proves that what is kept
comes back.
"""

from __future__ import annotations

from dataclasses import dataclass

from bicoastal.blueprint.database.database import Database
from bicoastal.blueprint.foundation import Foundation
from bicoastal.blueprint.grants import allow
from bicoastal.blueprint.network import Network
from bicoastal.blueprint.restore import restore, service_role
from bicoastal.blueprint.stack import DataClass, Output, Resource, Stack, Where
from bicoastal.blueprint.tags import stack_tags
from bicoastal.blueprint.vault import Vault, other_region
from bicoastal.cfn.intrinsics import Commented, Value, equals, ref, sub
from bicoastal.spec.model import Spec

START_WINDOW_MINUTES = 60
"""AWS Backup's least. The spec's checks keep RDS's own windows out of the backup's hour."""
COMPLETION_WINDOW_MINUTES = 480
SILENT_DAYS = 4
"""From Friday's backup to Monday's it is some 73 hours with the start window: three silent days are usual, four not."""


@dataclass(frozen=True)
class Backup:
    """The plan of a region, in a stack that stands in both."""

    stack: Stack
    plan_id: Output
    restore_role_arn: Output
    """What a restore runs as, tested or in earnest."""


def backup(spec: Spec, foundation: Foundation, network: Network, vault: Vault, database: Database) -> Backup:
    """Plan, selection, roles, restore testing and notifications, in both regions."""
    stack = Stack(
        spec, "backup", f"Weekday backups of {spec.prefix}, their copies, and the weekly proof that they restore."
    )
    _parameters(stack)
    boundary = stack.input(foundation.boundary_arn)
    role = _role(stack, foundation, vault, boundary)
    plan = _plan(stack, vault)
    stack.add(
        "PrimaryDatabase",
        "AWS::Backup::BackupSelection",
        {
            "BackupPlanId": plan.ref,
            "BackupSelection": {
                "SelectionName": "primary-database",
                "IamRoleArn": role.att("Arn"),
                "Resources": [stack.input(database.database_arn)],
            },
        },
        condition="IsPrimary",
        comment="The primary alone: a backup of the replica would be the same data again, and stops its promotion "
        "meanwhile.",
    )
    restore_role = restore(stack, foundation, network, vault, boundary)
    topic = stack.input(foundation.alert_topic_arn)
    _notify(stack, vault, topic)
    _alarm(stack, vault, topic)
    return Backup(
        stack,
        stack.output("BackupPlanId", plan.ref, "The region's backup plan."),
        stack.output("RestoreRoleArn", restore_role.att("Arn"), "Role that AWS Backup restores with."),
    )


def schedule(start: str, days: str) -> str:
    """AWS Backup's cron expression for a time of day (`HH:MM` in the schedule's time zone) on some days of the week."""
    hour, minute = start.split(":")
    return f"cron({int(minute)} {int(hour)} ? * {days} *)"


def _parameters(stack: Stack) -> None:
    spec = stack.spec
    windows = {region: spec.regions[region].backup for region in stack.regions}
    stack.live(
        "DatabaseRole",
        {spec.home: "primary", spec.standby: "replica"},
        "Role of this region's database; moves with it.",
        AllowedValues=["primary", "replica"],
    )
    stack.condition("IsPrimary", equals(ref("DatabaseRole"), "primary"))
    stack.setting(
        "BackupSchedule",
        {region: schedule(window.start, "MON-FRI") for region, window in windows.items()},
        "When the backup starts, on weekdays, in BackupTimeZone.",
    )
    stack.setting(
        "RestoreTestSchedule",
        {region: schedule(window.start, "SAT") for region, window in windows.items()},
        "When the week's last backup is restored for a test, in BackupTimeZone.",
    )
    stack.setting(
        "BackupTimeZone",
        {region: window.time_zone for region, window in windows.items()},
        "Time zone of both schedules; they keep local time when the clocks change.",
    )
    stack.setting(
        "KeepDays",
        {region: str(window.keep_days) for region, window in windows.items()},
        "Days until a recovery point expires, here and as a copy.",
        type_="Number",
    )


def _plan(stack: Stack, vault: Vault) -> Resource:
    lifecycle = {"DeleteAfterDays": ref("KeepDays")}
    copy = {"DestinationBackupVaultArn": stack.input(vault.arn, Where.OTHER), "Lifecycle": lifecycle}
    return stack.add(
        "BackupPlan",
        "AWS::Backup::BackupPlan",
        {
            "BackupPlan": {
                "BackupPlanName": f"{stack.spec.prefix}-weekdays",
                "BackupPlanRule": [
                    {
                        "RuleName": "weekdays",
                        "TargetBackupVault": stack.input(vault.name),
                        "ScheduleExpression": ref("BackupSchedule"),
                        "ScheduleExpressionTimezone": ref("BackupTimeZone"),
                        "StartWindowMinutes": START_WINDOW_MINUTES,
                        "CompletionWindowMinutes": COMPLETION_WINDOW_MINUTES,
                        "Lifecycle": lifecycle,
                        "EnableContinuousBackup": Commented(
                            False, "Continuous backups would take over RDS's own backup window and retention (D10)."
                        ),
                        "RecoveryPointTags": {
                            **stack_tags(stack.spec),
                            "data-class": DataClass.CUSTOMER.value,
                        },
                        "CopyActions": Commented(
                            [copy], "To the other declared region, and by the vault's policy to no third one."
                        ),
                    }
                ],
            }
        },
        comment="Stands in both regions, whichever has the primary: after a failover only the selection is made.",
    )


def _role(stack: Stack, foundation: Foundation, vault: Vault, boundary: Value) -> Resource:
    """Narrower than AWS's managed policy for backups, which covers every service and every resource of the account."""
    prefix = stack.spec.prefix
    databases = sub(f"arn:${{AWS::Partition}}:rds:${{AWS::Region}}:${{AWS::AccountId}}:db:{prefix}-*")
    snapshots = _snapshots("${AWS::Region}")
    stack.setting(
        "OtherRegion", {region: other_region(stack.spec, region) for region in stack.regions}, "Where copies go."
    )
    both = [snapshots, _snapshots("${OtherRegion}")]
    vaults = [stack.input(vault.arn), stack.input(vault.arn, Where.OTHER)]
    keys = [stack.input(foundation.data_key_arn), stack.input(vault.key_arn), stack.input(vault.key_arn, Where.OTHER)]
    statements = [
        allow("SnapshotOurDatabases", ["rds:CreateDBSnapshot", "rds:AddTagsToResource"], [databases, snapshots]),
        allow(
            "SeeOurDatabases",
            ["rds:DescribeDBInstances", "rds:DescribeDBSnapshots", "rds:ListTagsForResource"],
            [databases, *both],
        ),
        allow(
            "CopyAndExpireItsOwnSnapshots",
            ["rds:CopyDBSnapshot", "rds:AddTagsToResource", "rds:DeleteDBSnapshot"],
            both,
        ),
        allow("FillOurVaults", ["backup:DescribeBackupVault", "backup:CopyIntoBackupVault"], vaults),
        allow(
            "CopyOutOfOurVault",
            ["backup:CopyFromBackupVault"],
            [vaults[0], snapshots],
            {"ForAllValues:ArnEquals": {"backup:CopyTargets": vaults[1]}},
        ),
        allow("LetRdsUseTheKeys", ["kms:CreateGrant"], keys, {"Bool": {"kms:GrantIsForAWSResource": "true"}}),
        allow(
            "CopyBetweenTheKeys",
            ["kms:DescribeKey", "kms:Decrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"],
            keys,
        ),
    ]
    return service_role(stack, "BackupRole", "backup", boundary, statements)


def _snapshots(region: str) -> Value:
    """Snapshots that AWS Backup makes; those of people and of RDS itself are out of its reach."""
    return sub(f"arn:${{AWS::Partition}}:rds:{region}:${{AWS::AccountId}}:snapshot:awsbackup:*")


def _notify(stack: Stack, vault: Vault, topic: Value) -> None:
    here = [stack.input(vault.arn)]
    bad = ["FAILED", "ABORTED", "EXPIRED"]
    for logical_id, kind, detail in (
        ("BackupFailed", "Backup Job State Change", {"state": bad, "backupVaultArn": here}),
        ("CopyFailed", "Copy Job State Change", {"state": bad, "sourceBackupVaultArn": here}),
        ("RestoreFailed", "Restore Job State Change", {"status": bad, "resourceType": ["RDS"]}),
    ):
        stack.add(
            logical_id,
            "AWS::Events::Rule",
            {
                "Description": f"{stack.spec.prefix}: a job of AWS Backup ended badly ({kind}).",
                "EventPattern": {"source": ["aws.backup"], "detail-type": [kind], "detail": detail},
                "Targets": [{"Id": "alerts", "Arn": topic}],
            },
        )


def _alarm(stack: Stack, vault: Vault, topic: Value) -> None:
    stack.add(
        "NoBackup",
        "AWS::CloudWatch::Alarm",
        {
            "AlarmName": f"{stack.spec.prefix}-no-backup",
            "AlarmDescription": f"No backup of the primary was completed for {SILENT_DAYS} days, a weekend included. "
            "Also before the first one: start it by hand (AWS Backup, on-demand backup into this vault). Otherwise "
            "look at the vault's jobs.",
            "Namespace": "AWS/Backup",
            "MetricName": "NumberOfBackupJobsCompleted",
            "Dimensions": [{"Name": "BackupVaultName", "Value": stack.input(vault.name)}],
            "Statistic": "Sum",
            "Period": 86400,
            "EvaluationPeriods": SILENT_DAYS,
            "Threshold": 1,
            "ComparisonOperator": "LessThanThreshold",
            "TreatMissingData": "breaching",
            "AlarmActions": [topic],
            "OKActions": [topic],
        },
        condition="IsPrimary",
        comment="Failed jobs notify by themselves; this sees the backup that never began: a lost selection, a plan "
        "switched off.",
    )
