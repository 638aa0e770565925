"""Backups: on weekdays, in the region's own time, of the primary alone, copied to the other region; failures told."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bicoastal.blueprint.backup import SILENT_DAYS, START_WINDOW_MINUTES, schedule
from bicoastal.cfn.manifest import FromOutput, Literal, Live
from tests.support.backups import build_backups, literal, resource
from tests.support.regions import HOME, STANDBY
from tests.support.specs import spec

VAULT, BACKUP = build_backups(spec())


def rule() -> Any:
    (found,) = resource(BACKUP.stack, "BackupPlan")["Properties"]["BackupPlan"]["BackupPlanRule"]
    return found


class TestPlan:
    """When, where to, for how long."""

    @pytest.mark.parametrize("region", [HOME, STANDBY])
    def test_it_runs_on_weekdays_in_the_regions_own_time(self, region: str) -> None:
        window = spec().regions[region].backup
        hour, minute = window.start.split(":")
        assert rule()["ScheduleExpression"] == {"Ref": "BackupSchedule"}
        assert rule()["ScheduleExpressionTimezone"] == {"Ref": "BackupTimeZone"}
        expression = literal(BACKUP.stack, region, "BackupSchedule")
        assert expression == f"cron({int(minute)} {int(hour)} ? * MON-FRI *)"
        assert ZoneInfo(literal(BACKUP.stack, region, "BackupTimeZone")).key == window.time_zone

    def test_the_schedule_is_as_aws_reads_it(self) -> None:
        assert schedule("21:05", "MON-FRI") == "cron(5 21 ? * MON-FRI *)"
        assert schedule("00:00", "SAT") == "cron(0 0 ? * SAT *)"

    def test_the_start_window_is_one_that_aws_backup_takes(self) -> None:
        assert rule()["StartWindowMinutes"] >= 60
        assert rule()["CompletionWindowMinutes"] > rule()["StartWindowMinutes"]

    def test_it_leaves_rdss_own_continuous_backup_alone(self) -> None:
        assert rule()["EnableContinuousBackup"] is False

    def test_a_copy_goes_to_the_other_regions_vault_and_expires_as_the_original(self) -> None:
        (copy,) = rule()["CopyActions"]
        assert copy["DestinationBackupVaultArn"] == {"Ref": "OtherBackupVaultArn"}
        assert copy["Lifecycle"] == rule()["Lifecycle"] == {"DeleteAfterDays": {"Ref": "KeepDays"}}
        for region, other in ((HOME, STANDBY), (STANDBY, HOME)):
            source = BACKUP.stack.sources[region]["OtherBackupVaultArn"]
            assert source == FromOutput(f"vault/{other}", "BackupVaultArn")

    def test_every_name_fits_aws_backups_fifty_letters_for_the_longest_spec(self) -> None:
        made, plans = build_backups(spec(name="a" * 16, environment="b" * 12))
        names = [
            resource(made.stack, "BackupVault")["Properties"]["BackupVaultName"],
            resource(plans.stack, "BackupPlan")["Properties"]["BackupPlan"]["BackupPlanName"],
            resource(plans.stack, "RestoreTestingPlan")["Properties"]["RestoreTestingPlanName"],
        ]
        assert all(len(name) <= 50 for name in names)


class TestSelection:
    """What is backed up."""

    def test_it_is_the_database_where_it_is_the_primary_and_nothing_else(self) -> None:
        selection = resource(BACKUP.stack, "PrimaryDatabase")
        assert selection["Condition"] == "IsPrimary"
        assert selection["Properties"]["BackupSelection"]["Resources"] == [{"Ref": "DatabaseArn"}]
        assert set(selection["Properties"]["BackupSelection"]) == {"SelectionName", "IamRoleArn", "Resources"}

    def test_which_region_that_is_is_live(self) -> None:
        assert BACKUP.stack.sources[HOME]["DatabaseRole"] == Live(Literal("primary"))
        assert BACKUP.stack.sources[STANDBY]["DatabaseRole"] == Live(Literal("replica"))


class TestRoles:
    """What the jobs may do."""

    @pytest.mark.parametrize("role", ["BackupRole", "RestoreRole"])
    def test_they_are_bounded_and_take_no_wildcard_for_a_resource(self, role: str) -> None:
        properties = resource(BACKUP.stack, role)["Properties"]
        assert properties["PermissionsBoundary"] == {"Ref": "BoundaryArn"}
        assert "ManagedPolicyArns" not in properties
        (inline,) = properties["Policies"]
        for statement in inline["PolicyDocument"]["Statement"]:
            assert "*" not in statement["Resource"], statement["Sid"]
            assert not any(action.endswith(":*") for action in statement["Action"])

    def test_a_backup_job_cannot_delete_a_database_or_a_snapshot_that_it_did_not_make(self) -> None:
        (inline,) = resource(BACKUP.stack, "BackupRole")["Properties"]["Policies"]
        for statement in inline["PolicyDocument"]["Statement"]:
            assert "rds:DeleteDBInstance" not in statement["Action"]
            if "rds:DeleteDBSnapshot" in statement["Action"]:
                assert all(item["Fn::Sub"].endswith(":snapshot:awsbackup:*") for item in statement["Resource"])

    def test_a_copy_leaves_the_vault_for_the_other_regions_vault_alone(self) -> None:
        (inline,) = resource(BACKUP.stack, "BackupRole")["Properties"]["Policies"]
        statements = {item["Sid"]: item for item in inline["PolicyDocument"]["Statement"]}
        leaves, arrives = statements["CopyOutOfOurVault"], statements["FillOurVaults"]
        assert leaves["Action"] == ["backup:CopyFromBackupVault"]
        assert "backup:CopyIntoBackupVault" in arrives["Action"]
        assert {"Ref": "OtherBackupVaultArn"} in arrives["Resource"]
        assert leaves["Condition"] == {"ForAllValues:ArnEquals": {"backup:CopyTargets": {"Ref": "OtherBackupVaultArn"}}}
        # RDS's recovery points are snapshots: that is the resource which IAM is asked for.
        assert any(item.get("Fn::Sub", "").endswith(":snapshot:awsbackup:*") for item in leaves["Resource"])

    def test_a_restore_cannot_touch_the_database_that_is_in_service(self) -> None:
        (inline,) = resource(BACKUP.stack, "RestoreRole")["Properties"]["Policies"]
        for statement in inline["PolicyDocument"]["Statement"]:
            if "rds:DeleteDBInstance" in statement["Action"]:
                names = [item["Fn::Sub"].rpartition(":db:")[2] for item in statement["Resource"]]
                assert names == ["awsbackup-restore-test-*", "orders-production-restored-*"]


class TestNotices:
    """Who hears of it."""

    def test_every_kind_of_job_that_ends_badly_is_told(self) -> None:
        kinds = {}
        for logical_id in ("BackupFailed", "CopyFailed", "RestoreFailed"):
            properties = resource(BACKUP.stack, logical_id)["Properties"]
            pattern = properties["EventPattern"]
            kinds[pattern["detail-type"][0]] = pattern["detail"]
            assert [target["Arn"] for target in properties["Targets"]] == [{"Ref": "AlertTopicArn"}]
        assert set(kinds) == {f"{job} Job State Change" for job in ("Backup", "Copy", "Restore")}
        for detail in kinds.values():
            states = detail.get("state") or detail["status"]
            assert {"FAILED", "ABORTED", "EXPIRED"} <= set(states)

    def test_the_alarm_on_silence_sleeps_over_a_weekend_and_wakes_on_a_missed_monday(self) -> None:
        alarm = resource(BACKUP.stack, "NoBackup")
        properties = alarm["Properties"]
        span_hours = properties["Period"] * properties["EvaluationPeriods"] / 3600
        friday_to_monday_hours = 72 + START_WINDOW_MINUTES / 60
        assert friday_to_monday_hours + 8 < span_hours < friday_to_monday_hours + 24
        assert properties["TreatMissingData"] == "breaching"
        assert alarm["Condition"] == "IsPrimary"
        assert properties["EvaluationPeriods"] == SILENT_DAYS
