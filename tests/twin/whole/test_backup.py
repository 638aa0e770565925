"""Rows that were deleted come back from a recovery point, in a new instance, by AWS Backup's own calls."""

from __future__ import annotations

import json

import pytest

from tests.support.running import EAST, PREFIX, Running, until

pytestmark = pytest.mark.xdist_group("twin")
_GOING = ("CREATED", "PENDING", "RUNNING")


def test_rows_that_were_deleted_come_back(twin: Running) -> None:
    for number in range(5):
        assert twin.order(EAST, f"kept {number}").status == 201
    backup = twin.client("backup")
    database = twin.database(EAST)
    (vault,) = (
        item["BackupVaultName"]
        for item in backup.list_backup_vaults()["BackupVaultList"]
        if item["BackupVaultName"].startswith(PREFIX)
    )
    role = twin.client("iam").get_role(RoleName=f"{PREFIX}-backup-{EAST}")["Role"]["Arn"]
    job = twin.aws(
        "backup", "start-backup-job", "--backup-vault-name", vault,
        "--resource-arn", database["DBInstanceArn"], "--iam-role-arn", role, "--lifecycle", "DeleteAfterDays=35",
    )["BackupJobId"]  # fmt: skip
    until("the backup is over", lambda: backup.describe_backup_job(BackupJobId=job)["State"] not in _GOING)
    done = backup.describe_backup_job(BackupJobId=job)
    assert done["State"] == "COMPLETED", done.get("StatusMessage")
    point = backup.describe_backup_job(BackupJobId=job)["RecoveryPointArn"]
    metadata = backup.get_recovery_point_restore_metadata(BackupVaultName=vault, RecoveryPointArn=point)[
        "RestoreMetadata"
    ]
    metadata["DBInstanceIdentifier"] = f"{PREFIX}-restored-1"
    restore_role = next(
        item["Arn"]
        for item in twin.client("iam").list_roles()["Roles"]
        if item["RoleName"] == f"{PREFIX}-restore-{EAST}"
    )
    restore = twin.aws(
        "backup", "start-restore-job", "--recovery-point-arn", point, "--iam-role-arn", restore_role,
        "--resource-type", "RDS", "--metadata", json.dumps(metadata),
    )["RestoreJobId"]  # fmt: skip
    until(
        "the restore is over",
        lambda: backup.describe_restore_job(RestoreJobId=restore)["Status"] not in _GOING,
        120,
    )
    ended = backup.describe_restore_job(RestoreJobId=restore)
    assert ended["Status"] == "COMPLETED", ended.get("StatusMessage")
    (restored,) = twin.client("rds").describe_db_instances(DBInstanceIdentifier=f"{PREFIX}-restored-1")["DBInstances"]
    assert restored["DBInstanceStatus"] == "available"
