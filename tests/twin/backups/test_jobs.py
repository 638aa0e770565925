"""Backup, copy and restore jobs as their callers see them; the databases are on paper here."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.cloudformation import until
from tests.twin.backups.conftest import HOME, KEPT, STANDBY, Rooms

Json = Any


def test_a_backup_is_a_recovery_point_with_what_restores_it(rooms: Rooms) -> None:
    room = rooms()
    vault, role, arn = room.vault("weekly"), room.role("backups"), room.database("orders", application="orders")
    job = room.back_up(arn, vault, role, Lifecycle=KEPT)
    assert job["State"] == "COMPLETED", job
    backup = room.client("backup")
    (point,) = backup.list_recovery_points_by_backup_vault(BackupVaultName=vault)["RecoveryPoints"]
    assert (point["RecoveryPointArn"], point["ResourceArn"]) == (job["RecoveryPointArn"], arn)
    assert (point["CalculatedLifecycle"]["DeleteAt"] - point["CreationDate"]).days == 35
    found = backup.describe_recovery_point(BackupVaultName=vault, RecoveryPointArn=point["RecoveryPointArn"])
    assert found["Status"] == "COMPLETED"
    metadata = backup.get_recovery_point_restore_metadata(
        BackupVaultName=vault, RecoveryPointArn=point["RecoveryPointArn"]
    )["RestoreMetadata"]
    assert (metadata["DBInstanceIdentifier"], metadata["Engine"]) == ("orders", "postgres")
    by_resource = backup.list_recovery_points_by_resource(ResourceArn=arn)["RecoveryPoints"]
    assert [item["RecoveryPointArn"] for item in by_resource] == [point["RecoveryPointArn"]]
    assert backup.describe_backup_vault(BackupVaultName=vault)["NumberOfRecoveryPoints"] == 1
    jobs = backup.list_backup_jobs(ByState="COMPLETED", ByResourceArn=arn)["BackupJobs"]
    assert [item["BackupJobId"] for item in jobs] == [job["BackupJobId"]]
    assert backup.list_backup_jobs(ByState="FAILED")["BackupJobs"] == []
    name = point["RecoveryPointArn"].partition(":snapshot:")[2]
    assert name.startswith("awsbackup:job-")
    assert room.client("rds").describe_db_snapshots(DBSnapshotIdentifier=name)["DBSnapshots"]
    for _ in until("the completed job was observed"):
        measured = [(item.name, item.dimensions["BackupVaultName"], item.value) for item in room.backups.measurements()]
        if measured:
            break
    assert measured == [("NumberOfBackupJobsCompleted", vault, 1.0)]


def test_a_role_without_the_right_backs_up_nothing(rooms: Rooms) -> None:
    room = rooms()
    role = room.role("blind", {"Effect": "Allow", "Action": "rds:Describe*", "Resource": "*"})
    job = room.back_up(room.database("orders"), room.vault("weekly"), role)
    assert job["State"] == "FAILED"
    assert "rds:CreateDBSnapshot" in job["StatusMessage"]
    assert room.client("backup").list_recovery_points_by_backup_vault(BackupVaultName="weekly")["RecoveryPoints"] == []


def test_what_is_not_there_is_refused_at_once(rooms: Rooms) -> None:
    room = rooms()
    vault, role, arn = room.vault("weekly"), room.role("backups"), room.database("orders")
    with pytest.raises(ClientError, match="ResourceNotFound"):
        room.back_up(arn, "other", role)
    with pytest.raises(ClientError, match="ResourceNotFound"):
        room.back_up(room.arn("nothing"), vault, role)
    with pytest.raises(ClientError, match="InvalidParameterValue"):
        room.back_up("arn:aws:dynamodb:us-east-1:111122223333:table/t", vault, role)
    with pytest.raises(ClientError, match="InvalidParameterValue"):
        room.back_up(arn, vault, f"{role}-of-nobody")


def test_a_locked_vault_takes_what_fits_and_gives_nothing_up(rooms: Rooms) -> None:
    room = rooms()
    vault, role, arn = room.vault("locked"), room.role("backups"), room.database("orders")
    backup = room.client("backup")
    backup.put_backup_vault_lock_configuration(BackupVaultName=vault, MinRetentionDays=30, MaxRetentionDays=40)
    given: list[Json] = [{}, {"Lifecycle": {"DeleteAfterDays": 7}}]
    for kept in given:
        job = room.back_up(arn, vault, role, **kept)
        assert job["State"] == "FAILED"
        assert "locked" in job["StatusMessage"]
    point = room.back_up(arn, vault, role, Lifecycle=KEPT)["RecoveryPointArn"]
    with pytest.raises(ClientError, match="locked"):
        backup.delete_recovery_point(BackupVaultName=vault, RecoveryPointArn=point)
    with pytest.raises(ClientError, match="still has recovery points"):
        backup.delete_backup_vault(BackupVaultName=vault)
    backup.delete_backup_vault_lock_configuration(BackupVaultName=vault)
    deny = {
        "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "backup:DeleteRecoveryPoint", "Resource": "*"}]
    }
    backup.put_backup_vault_access_policy(BackupVaultName=vault, Policy=json.dumps(deny))
    with pytest.raises(ClientError, match="access policy"):
        backup.delete_recovery_point(BackupVaultName=vault, RecoveryPointArn=point)
    backup.delete_backup_vault_access_policy(BackupVaultName=vault)
    backup.delete_recovery_point(BackupVaultName=vault, RecoveryPointArn=point)
    assert backup.list_recovery_points_by_backup_vault(BackupVaultName=vault)["RecoveryPoints"] == []
    assert room.client("rds").describe_db_snapshots()["DBSnapshots"] == []


def test_a_copy_goes_to_the_other_region_s_vault_if_role_and_vault_let_it(rooms: Rooms) -> None:
    room = rooms()
    vault, arn = room.vault("weekly"), room.database("orders")
    there = room.vault_arn(room.vault("copies", STANDBY), STANDBY)
    elsewhere = room.vault_arn(room.vault("elsewhere", STANDBY), STANDBY)
    all_rds = {"Effect": "Allow", "Action": ["rds:*", "backup:CopyIntoBackupVault"], "Resource": "*"}
    only = {"ForAllValues:ArnEquals": {"backup:CopyTargets": there}}
    out = {"Effect": "Allow", "Action": "backup:CopyFromBackupVault", "Resource": "*", "Condition": only}
    role = room.role("backups", all_rds, out)
    point = room.back_up(arn, vault, role, Lifecycle=KEPT)["RecoveryPointArn"]
    backup = room.client("backup")

    def copy(destination: str) -> Json:
        given = {"RecoveryPointArn": point, "SourceBackupVaultName": vault, "IamRoleArn": role, "Lifecycle": KEPT}
        return room.ended("copy", backup.start_copy_job(DestinationBackupVaultArn=destination, **given)["CopyJobId"])

    refused = copy(elsewhere)
    assert refused["State"] == "FAILED"
    assert "not authorized to perform backup:CopyFromBackupVault" in refused["StatusMessage"]
    done = copy(there)
    assert done["State"] == "COMPLETED", done
    (made,) = room.client("backup", STANDBY).list_recovery_points_by_backup_vault(BackupVaultName="copies")[
        "RecoveryPoints"
    ]
    assert made["RecoveryPointArn"] == done["DestinationRecoveryPointArn"]
    assert made["ResourceArn"] == arn, "a copy bears the ARN of the database that it is of"
    with pytest.raises(ClientError, match="ResourceNotFound"):
        copy(room.vault_arn("nowhere", STANDBY))
    statement = {"Effect": "Deny", "Principal": "*", "Action": "backup:CopyFromBackupVault", "Resource": "*"}
    statement["Condition"] = {"ForAllValues:ArnNotLike": {"backup:CopyTargets": [elsewhere]}}  # type: ignore[assignment]
    backup.put_backup_vault_access_policy(BackupVaultName=vault, Policy=json.dumps({"Statement": [statement]}))
    assert "access policy" in copy(there)["StatusMessage"]


def test_a_restore_is_a_new_instance_as_the_metadata_say(rooms: Rooms) -> None:
    room = rooms()
    vault, role, arn = room.vault("weekly"), room.role("backups"), room.database("orders")
    point = room.back_up(arn, vault, role)["RecoveryPointArn"]
    backup = room.client("backup")
    metadata = {"DBInstanceIdentifier": "orders-restored", "DBInstanceClass": "db.t4g.large", "MultiAZ": "false"}
    job = backup.start_restore_job(RecoveryPointArn=point, Metadata=metadata, IamRoleArn=role)["RestoreJobId"]
    done = room.ended("restore", job)
    assert done["Status"] == "COMPLETED", done
    assert done["CreatedResourceArn"] == room.arn("orders-restored")
    made = room.client("rds").describe_db_instances(DBInstanceIdentifier="orders-restored")["DBInstances"][0]
    assert made["DBInstanceClass"] == "db.t4g.large"
    again = backup.start_restore_job(
        RecoveryPointArn=point, Metadata={"DBInstanceIdentifier": "orders"}, IamRoleArn=role
    )["RestoreJobId"]
    failed = room.ended("restore", again)
    assert failed["Status"] == "FAILED"
    assert "already exists" in failed["StatusMessage"]
    with pytest.raises(ClientError, match="DBInstanceIdentifier"):
        backup.start_restore_job(RecoveryPointArn=point, Metadata={"MultiAZ": "false"}, IamRoleArn=role)


def test_whoever_backs_up_hands_over_the_role(rooms: Rooms) -> None:
    room = rooms()
    vault, role, arn = room.vault("weekly"), room.role("backups"), room.database("orders")
    iam = room.client("iam")
    iam.create_user(UserName="operator")
    key = iam.create_access_key(UserName="operator")["AccessKey"]
    start = {"Effect": "Allow", "Action": "backup:StartBackupJob", "Resource": room.vault_arn(vault)}
    hands = {"Effect": "Allow", "Action": "iam:PassRole", "Resource": role}
    mine = room.ground.api.session(
        {"AccessKeyId": key["AccessKeyId"], "SecretAccessKey": key["SecretAccessKey"], "SessionToken": ""}
    ).client("backup", HOME)
    asked = {"BackupVaultName": vault, "ResourceArn": arn, "IamRoleArn": role}
    for allowed, taken in (([start], False), ([start, hands], True)):
        policy = json.dumps({"Version": "2012-10-17", "Statement": allowed})
        iam.put_user_policy(UserName="operator", PolicyName="own", PolicyDocument=policy)
        if taken:
            assert mine.start_backup_job(**asked)["BackupJobId"]
        else:
            with pytest.raises(ClientError, match="AccessDenied"):
                mine.start_backup_job(**asked)
