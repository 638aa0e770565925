"""With the databases behind them: rows that were deleted come back, here and from the copy in the other region."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import psycopg
import pytest

from bicoastal.twin.api import Watcher
from bicoastal.twin.controller import Loop
from bicoastal.twin.databases.controller import Databases
from tests.support.cloudformation import until
from tests.twin.backups.conftest import HOME, KEPT, STANDBY, Room, Rooms

Json = Any
PASSWORD = "a-password-of-tests"

pytestmark = pytest.mark.postgres


@pytest.fixture
def room(rooms: Rooms) -> Iterator[Room]:
    with ExitStack() as stack:
        made = rooms("databases")
        loop: Loop[Any, Any] = Loop(Databases(made.ground), 1.0)
        watcher = Watcher(made.ground.api, loop.poke)
        loop.start()
        stack.callback(loop.stop)
        watcher.start()
        stack.callback(watcher.stop)
        yield made


def subnets(room: Room, region: str) -> str:
    found = room.client("ec2", region).describe_subnets()["Subnets"]
    zones = {subnet["AvailabilityZone"]: subnet["SubnetId"] for subnet in found}
    room.client("rds", region).create_db_subnet_group(
        DBSubnetGroupName="data",
        DBSubnetGroupDescription="of tests",
        SubnetIds=[zones[zone] for zone in sorted(zones)[:2]],
    )
    return "data"


def available(room: Room, name: str, region: str = HOME) -> Json:
    for _ in until(f"{name} is available"):
        found = room.client("rds", region).describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]
        if found["DBInstanceStatus"] == "available":
            return found
    raise AssertionError


def query(room: Room, name: str, statement: str, region: str = HOME) -> list[tuple[Any, ...]]:
    at = available(room, name, region)["Endpoint"]
    certificate = str(room.ground.authority.certificate)
    with psycopg.connect(
        host=at["Address"],
        port=at["Port"],
        user="master",
        password=PASSWORD,
        dbname="app",
        autocommit=True,
        sslmode="verify-full",
        sslrootcert=certificate,
    ) as session:
        cursor = session.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def test_rows_that_were_deleted_come_back_in_either_region(room: Room) -> None:
    room.client("rds").create_db_instance(
        DBInstanceIdentifier="orders",
        Engine="postgres",
        EngineVersion="17",
        DBInstanceClass="db.t4g.medium",
        AllocatedStorage=20,
        MasterUsername="master",
        MasterUserPassword=PASSWORD,
        DBName="app",
        DBSubnetGroupName=subnets(room, HOME),
    )
    vault, role = room.vault("weekly"), room.role("backups")
    there = room.vault_arn(room.vault("copies", STANDBY), STANDBY)
    query(room, "orders", "create table rows as select generate_series(1, 1000) as id")
    backup = room.client("backup")
    id_ = backup.start_backup_job(
        BackupVaultName=vault, ResourceArn=room.arn("orders"), IamRoleArn=role, Lifecycle=KEPT
    )["BackupJobId"]
    seen = set()
    for _ in until("the backup job"):
        seen.add(
            room.client("rds").describe_db_instances(DBInstanceIdentifier="orders")["DBInstances"][0][
                "DBInstanceStatus"
            ]
        )
        job = backup.describe_backup_job(BackupJobId=id_)
        if job["State"] in ("COMPLETED", "FAILED"):
            break
    assert job["State"] == "COMPLETED", job
    assert "backing-up" in seen, "a promotion would be refused meanwhile"
    query(room, "orders", "delete from rows")
    copy = backup.start_copy_job(
        RecoveryPointArn=job["RecoveryPointArn"],
        SourceBackupVaultName=vault,
        DestinationBackupVaultArn=there,
        IamRoleArn=role,
        Lifecycle=KEPT,
    )["CopyJobId"]
    copied = room.ended("copy", copy)
    assert copied["State"] == "COMPLETED", copied
    subnets(room, STANDBY)
    for region, point in ((HOME, job["RecoveryPointArn"]), (STANDBY, copied["DestinationRecoveryPointArn"])):
        metadata = {"DBInstanceIdentifier": "restored", "DBSubnetGroupName": "data", "MultiAZ": "false"}
        started = room.client("backup", region).start_restore_job(
            RecoveryPointArn=point, Metadata=metadata, IamRoleArn=role
        )["RestoreJobId"]
        done = room.ended("restore", started, region)
        assert done["Status"] == "COMPLETED", done
        assert query(room, "restored", "select count(*) from rows", region) == [(1000,)]
    assert query(room, "orders", "select count(*) from rows") == [(0,)], "the database itself is as it was"
