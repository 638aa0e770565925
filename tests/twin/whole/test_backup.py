"""What was deleted comes back from a recovery point, in a new instance: by AWS Backup's own calls, and by `backup`."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
from datetime import datetime
from typing import Any

from tests.support.running import BIN, EAST, PREFIX, WEST, Running, until

_GOING = ("CREATED", "PENDING", "RUNNING")


def test_rows_that_were_deleted_come_back(twin: Running) -> None:
    for number in range(5):
        until("an order is stored", lambda number=number: twin.order(EAST, f"kept {number}").status == 201)  # type: ignore[misc]
    backup = twin.client("backup")
    vault, point = PREFIX, back_up(twin)
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


def back_up(twin: Running) -> str:
    """The ARN of a new recovery point of the primary."""
    backup = twin.client("backup")
    role = twin.client("iam").get_role(RoleName=f"{PREFIX}-backup-{EAST}")["Role"]["Arn"]
    database = twin.client("rds").describe_db_instances(DBInstanceIdentifier=f"{PREFIX}-db-g1")["DBInstances"][0]
    job = twin.aws(
        "backup", "start-backup-job", "--backup-vault-name", PREFIX,
        "--resource-arn", database["DBInstanceArn"], "--iam-role-arn", role, "--lifecycle", "DeleteAfterDays=35",
    )["BackupJobId"]  # fmt: skip
    until("the backup is over", lambda: backup.describe_backup_job(BackupJobId=job)["State"] not in _GOING)
    done = backup.describe_backup_job(BackupJobId=job)
    assert done["State"] == "COMPLETED", done.get("StatusMessage")
    return str(done["RecoveryPointArn"])


def copy(twin: Running, point: str) -> str:
    """The ARN of its copy in the other region's vault."""
    backup = twin.client("backup")
    role = twin.client("iam").get_role(RoleName=f"{PREFIX}-backup-{EAST}")["Role"]["Arn"]
    there = twin.client("backup", WEST).describe_backup_vault(BackupVaultName=PREFIX)["BackupVaultArn"]
    job = twin.aws(
        "backup", "start-copy-job", "--recovery-point-arn", point, "--source-backup-vault-name", PREFIX,
        "--destination-backup-vault-arn", there, "--iam-role-arn", role, "--lifecycle", "DeleteAfterDays=35",
    )["CopyJobId"]  # fmt: skip
    until("the copy is over", lambda: _copy_job(backup, job)["State"] not in _GOING)
    assert _copy_job(backup, job)["State"] == "COMPLETED", _copy_job(backup, job)
    return str(_copy_job(backup, job)["DestinationRecoveryPointArn"])


def _copy_job(backup: Any, job: str) -> Any:
    return backup.describe_copy_job(CopyJobId=job)["CopyJob"]


def as_owner(twin: Running, statement: str) -> None:
    """What somebody does on a Friday evening: SQL in the live database, from a server of the fleet."""
    secrets = twin.client("secretsmanager")
    (owner,) = (item["ARN"] for item in secrets.list_secrets()["SecretList"] if "/owner" in item["Name"])
    password = json.loads(secrets.get_secret_value(SecretId=owner)["SecretString"])["password"]
    at = twin.client("rds").describe_db_instances(DBInstanceIdentifier=f"{PREFIX}-db-g1")["DBInstances"][0]["Endpoint"]
    program = (
        "import sys, ssl; sys.path.insert(0, '/opt/bicoastal/kit'); import pg8000.native as pg\n"
        "tls = ssl.create_default_context(cafile='/opt/bicoastal/ca/rds.pem')\n"
        f"door = pg.Connection('owner', host={at['Address']!r}, port={at['Port']}, database='app', "
        f"password={password!r}, ssl_context=tls)\n"
        f"door.run({statement!r})"
    )
    ssm, instance = twin.client("ssm"), twin.in_service(EAST)[0]
    id_ = ssm.send_command(
        DocumentName="AWS-RunShellScript",
        InstanceIds=[instance],
        Parameters={"commands": [f"python3.11 -c {shlex.quote(program)}"]},
    )["Command"]["CommandId"]

    def over() -> bool:
        try:
            found = ssm.get_command_invocation(CommandId=id_, InstanceId=instance)
        except ssm.exceptions.InvocationDoesNotExist:
            return False
        assert found["Status"] not in ("Failed", "TimedOut", "Undeliverable"), found["StandardErrorContent"]
        return bool(found["Status"] == "Success")

    until(f"{statement} is done", over)


def restore(twin: Running, *words: str) -> Any:
    """`bicoastal backup restore`, at its end, as its document."""
    done = twin.bicoastal("backup", "restore", *words, "--format", "json", deadline_s=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return {**json.loads(done.stdout), "told": done.stderr}


def instances(twin: Running, region: str) -> list[str]:
    return [item["DBInstanceIdentifier"] for item in twin.client("rds", region).describe_db_instances()["DBInstances"]]


def test_a_dropped_table_comes_back_beside_the_live_database(twin: Running) -> None:
    as_owner(twin, "CREATE TABLE receipt AS SELECT generate_series(1, 1000) AS id")
    point = back_up(twin)
    copied = copy(twin, point)
    as_owner(twin, "DROP TABLE receipt")

    listed = json.loads(twin.bicoastal("backup", "list", "--format", "json").stdout)["vaults"]
    home, standby = ({item["arn"]: item for item in vault["recovery_points"]} for vault in listed)
    assert [item["region"] for item in home[point]["copies"]] == [WEST]
    assert (standby[copied]["copied_from"], standby[copied]["taken_at"]) == (EAST, home[point]["taken_at"])
    assert (listed[0]["selected"], listed[1]["selected"]) == (True, False), "the primary alone is backed up"
    assert listed[0]["schedules"][0]["next_at"]

    # Killed as soon as its job is begun; the same command finds what is being made, and makes nothing beside it.
    words = ("backup", "restore", point, "--keep", "--format", "json")
    first = subprocess.Popen(
        [BIN / "bicoastal", *words],
        env={**os.environ, **twin.environment},
        cwd=twin.spec.parent,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert first.stderr is not None
    with first.stderr as lines:
        assert any(" becomes " in line for line in lines)
        first.send_signal(signal.SIGKILL)
        first.wait(30)
    before = set(instances(twin, EAST))
    said = restore(twin, point, "--keep")
    assert "an earlier restore is carried on" in said["told"]
    assert set(instances(twin, EAST)) - before <= {said["instance"]}
    tables = {item["table"]: item for item in said["tables"]}
    assert (tables["public.receipt"]["rows"], tables["public.receipt"]["live_rows"]) == (1000, None)
    assert tables["public.migrations"]["same"], "what nobody touched is the same in both"
    assert tables["public.orders"]["restored_alone"] == 0
    assert (said["sound"], said["live_unknown"], said["page_checksums"]) == (True, None, True)
    assert datetime.fromisoformat(said["data_end_at"]) <= datetime.fromisoformat(home[point]["taken_at"])
    (made,) = twin.client("rds").describe_db_instances(DBInstanceIdentifier=said["instance"])["DBInstances"]
    live = twin.client("rds").describe_db_instances(DBInstanceIdentifier=f"{PREFIX}-db-g1")["DBInstances"][0]
    for name in ("VpcSecurityGroups", "DBParameterGroups", "KmsKeyId", "StorageEncrypted", "PubliclyAccessible"):
        assert made[name] == live[name], name
    tags = twin.client("rds").list_tags_for_resource(ResourceName=made["DBInstanceArn"])["TagList"]
    assert {"cost-center", "application", "restored-from"} <= {tag["Key"] for tag in tags}

    gone = restore(twin, point, "--discard")
    assert (gone["instance"], gone["kept"], gone["sound"]) == (said["instance"], False, True)
    assert said["instance"] not in instances(twin, EAST)

    there = restore(twin, copied, "--discard")
    tables = {item["table"]: item for item in there["tables"]}
    assert (there["region"], tables["public.receipt"]["rows"]) == (WEST, 1000)
    assert there["instance"] not in instances(twin, WEST)


def test_what_cannot_be_restored_is_refused(twin: Running) -> None:
    for words, code, said in (
        (("job-of-nobody", "--keep"), 1, "is no recovery point of this deployment"),
        (("--latest", "--keep", "--region", "eu-west-1"), 1, "outside of the residency"),
        (("--before", "2020-01-01", "--keep"), 1, "no completed recovery point from 2020-01-01"),
        (("--latest",), 2, "--keep or --discard"),
        (("--latest", "--before", "2020-01-01", "--keep"), 2, "Say which one"),
    ):
        done = twin.bicoastal("backup", "restore", *words)
        assert (done.returncode, said in done.stdout + done.stderr) == (code, True), done.stdout + done.stderr
