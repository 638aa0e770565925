"""The deployment's own vaults, plan and roles, created by CloudFormation from its templates, are enough, and fit."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from bicoastal.blueprint.stacks import compose
from tests.support.closure import closure
from tests.support.cloudformation import Account, Walker, until
from tests.support.specs import spec
from tests.twin.backups.conftest import HOME, KEPT, STANDBY, Room, Rooms
from tests.twin.backups.test_plans import DAYS_IN_SECONDS, points

Json = Any
NAME = "orders-production"


@pytest.fixture
def room(rooms: Rooms) -> Room:
    made = rooms(pace=DAYS_IN_SECONDS)
    composed = compose(spec())
    files = {f"templates/{item.kind}.yaml": item.to_yaml() for item in composed.stacks}
    needed = closure(composed.manifest, f"backup/{HOME}", f"vault/{STANDBY}")
    Walker(Account(made.ground.api.endpoint), needed, files).up()
    return made


def role(room: Room, name: str) -> str:
    return f"arn:aws:iam::{room.ground.api.endpoint.account}:role/{NAME}-{name}-{HOME}"


def test_the_plan_fills_both_vaults_and_the_weekly_test_restores(room: Room) -> None:
    backup = room.client("backup")
    for _ in until("a backup, its copy, and a test of it"):
        tests = [job for job in backup.list_restore_jobs()["RestoreJobs"] if job["Status"] in ("COMPLETED", "FAILED")]
        if points(room, NAME) and points(room, NAME, STANDBY) and tests:
            break
    # The first test may have found the vault still empty, or the instance while another backup was made of it.
    (point, *_) = points(room, NAME)
    assert point["ResourceArn"] == room.arn(f"{NAME}-db-g1")
    assert point["Lifecycle"] == KEPT
    assert tests[0]["Status"] == "COMPLETED", tests[0]
    assert tests[0]["CreatedResourceArn"].partition(":db:")[2].startswith("awsbackup-restore-test-")
    failed = [job for job in backup.list_copy_jobs()["CopyJobs"] if job["State"] == "FAILED"]
    assert failed == []


def test_a_backup_by_hand_is_restored_under_our_names_only(room: Room) -> None:
    backup = room.client("backup")
    job = room.back_up(room.arn(f"{NAME}-db-g1"), NAME, role(room, "backup"), Lifecycle=KEPT)
    assert job["State"] == "COMPLETED", job
    metadata = backup.get_recovery_point_restore_metadata(
        BackupVaultName=NAME, RecoveryPointArn=job["RecoveryPointArn"]
    )["RestoreMetadata"]
    found = {}
    for name in (f"{NAME}-restored-1", "somebody-elses"):
        id_ = backup.start_restore_job(
            RecoveryPointArn=job["RecoveryPointArn"],
            Metadata={**metadata, "DBInstanceIdentifier": name},
            IamRoleArn=role(room, "restore"),
        )["RestoreJobId"]
        found[name] = room.ended("restore", id_)
    assert found[f"{NAME}-restored-1"]["Status"] == "COMPLETED", found
    assert "not authorized" in found["somebody-elses"]["StatusMessage"]
    with pytest.raises(ClientError, match="access policy"):
        backup.delete_recovery_point(BackupVaultName=NAME, RecoveryPointArn=job["RecoveryPointArn"])
