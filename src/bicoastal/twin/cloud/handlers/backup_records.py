"""What AWS Backup remembers: vaults' locks and policies, recovery points, and the jobs that make and use them.

A recovery point of a DB instance is a DB snapshot of its region, as on AWS; the vault has a record of it.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from typing import Any

from bicoastal.twin.cloud import emulator
from bicoastal.twin.cloud.handlers import events
from bicoastal.twin.cloud.registry import ServiceError

Json = Any
Record = dict[str, Json]
ENDED = ("COMPLETED", "FAILED", "ABORTED", "EXPIRED", "PARTIAL")
DAY_S = 86_400.0
_DETAIL_TYPES = {
    "backup": "Backup Job State Change",
    "copy": "Copy Job State Change",
    "restore": "Restore Job State Change",
}


def vault(name: str) -> Record:
    """A vault of the region. Raises ServiceError where there is none."""
    found: Record | None = emulator.store("backup", "_vaults").get(name)
    if found is None:
        raise missing(f"Backup vault {name} does not exist.")
    return found


def vault_of(arn: str) -> tuple[str, str]:
    """Region and name of a vault, which must be there. Raises ServiceError."""
    parts = arn.split(":")
    if len(parts) < 7 or parts[5] != "backup-vault":
        raise ServiceError("InvalidParameterValueException", f"{arn} is no ARN of a backup vault.")
    with emulator.in_region(parts[3]):
        vault(parts[6])
    return parts[3], parts[6]


def missing(message: str) -> ServiceError:
    """What AWS Backup answers for what is not there."""
    return ServiceError("ResourceNotFoundException", message, 400)


def point(arn: str) -> Record:
    """A recovery point of the region. Raises ServiceError where there is none."""
    found: Record | None = POINTS.get(arn)
    if found is None:
        raise missing(f"Recovery point {arn} does not exist.")
    return found


def new_job(kind: str, table: Any, **fields: Json) -> Record:
    """Remember a job that is to be done."""
    id_ = str(uuid.uuid4()).upper()
    names = {"backup": "BackupJobId", "copy": "CopyJobId", "restore": "RestoreJobId"}
    record: Record = {
        names[kind]: id_,
        "AccountId": emulator.account(),
        "CreationDate": time.time(),
        "ResourceType": "RDS",
        "_id": id_,
        "_kind": kind,
        **fields,
    }
    table[id_] = record
    turn(record, "CREATED" if kind != "restore" else "PENDING")
    return record


def turn(record: Record, state: str, message: str = "") -> None:
    """A job is in another state: told as an event."""
    name = "Status" if record["_kind"] == "restore" else "State"
    if record.get(name) == state:
        return
    record[name] = state
    if message:
        record["StatusMessage"] = message
    if state in ENDED:
        record["CompletionDate"] = time.time()
        record["PercentDone"] = "100.0"
    _tell(record, state)


def is_over(record: Record) -> bool:
    """Whether nothing is left to do for a job."""
    return record.get("State", record.get("Status")) in ENDED


def _tell(record: Record, state: str) -> None:
    kind = record["_kind"]
    names = {
        "backup": ("BackupJobId", "BackupVaultName", "BackupVaultArn", "ResourceArn", "ResourceType"),
        "copy": ("CopyJobId", "SourceBackupVaultArn", "DestinationBackupVaultArn", "ResourceArn", "ResourceType"),
        "restore": ("RestoreJobId", "RecoveryPointArn", "CreatedResourceArn", "ResourceType"),
    }[kind]
    detail = {name[:1].lower() + name[1:]: record[name] for name in names if name in record}
    detail["status" if kind == "restore" else "state"] = state
    if record.get("StatusMessage"):
        detail["statusMessage"] = record["StatusMessage"]
    events.emit("aws.backup", _DETAIL_TYPES[kind], detail, [record.get("RecoveryPointArn") or ""])


def lifecycle(given: Mapping[str, Json] | None) -> Record:
    """Days as numbers, whether they came from a template or a call."""
    return {name: int(value) for name, value in (given or {}).items() if name in ("DeleteAfterDays",)}


def refused_by_lock(record: Mapping[str, Json], days: int | None) -> str:
    """Why a vault takes nothing that is kept for so long (None: for ever); empty where it does."""
    least, most = record.get("MinRetentionDays"), record.get("MaxRetentionDays")
    if not record.get("Locked"):
        return ""
    if (most and (days is None or days > int(most))) or (least and days is not None and days < int(least)):
        kept = "for ever" if days is None else f"for {days} days"
        return f"The vault {record['BackupVaultName']} is locked: it keeps {least} to {most} days, and not {kept}."
    return ""


def put_point(
    job: Mapping[str, Json], vault_name: str, arn: str, *, days: int | None, metadata: Mapping[str, str]
) -> Record:
    """A job has made a recovery point: it is in the vault from now on."""
    record = vault(vault_name)
    now = time.time()
    made: Record = {
        "RecoveryPointArn": arn,
        "BackupVaultName": vault_name,
        "BackupVaultArn": record["BackupVaultArn"],
        "ResourceArn": job["ResourceArn"],
        "ResourceType": "RDS",
        "ResourceName": job["ResourceArn"].rpartition(":")[2],
        "IamRoleArn": job["IamRoleArn"],
        "Status": "COMPLETED",
        "CreationDate": now,
        "CompletionDate": now,
        "BackupSizeInBytes": job.get("BackupSizeInBytes", 0),
        "IsEncrypted": bool(record.get("EncryptionKeyArn")),
        "EncryptionKeyArn": record.get("EncryptionKeyArn", ""),
        "IsParent": False,
        "VaultType": "BACKUP_VAULT",
        "_Metadata": dict(metadata),
        **({"CreatedBy": job["CreatedBy"]} if "CreatedBy" in job else {}),
        **({"SourceBackupVaultArn": job["SourceBackupVaultArn"]} if "SourceBackupVaultArn" in job else {}),
    }
    if days is not None:
        made["Lifecycle"] = {"DeleteAfterDays": days}
        made["CalculatedLifecycle"] = {"DeleteAt": now + days * DAY_S}
    POINTS[arn] = made
    count(vault_name)
    return made


def remove_point(arn: str) -> None:
    """Its snapshot goes with it."""
    found = POINTS.pop(arn, None)
    if found is not None:
        emulator.query("rds", "DeleteDBSnapshot", DBSnapshotIdentifier=arn.partition(":snapshot:")[2])
        count(found["BackupVaultName"])


def count(vault_name: str) -> None:
    """Let the vault say how many it has."""
    record = emulator.store("backup", "_vaults").get(vault_name)
    if record is not None:
        record["NumberOfRecoveryPoints"] = sum(item["BackupVaultName"] == vault_name for item in POINTS.values())


def public(record: Mapping[str, Json]) -> Record:
    """As the API shows it."""
    return {name: value for name, value in record.items() if not name.startswith("_")}


POLICIES = emulator.new_table("backup_vault_policies")
"""Vault to its access policy."""
POINTS = emulator.new_table("backup_points")
JOBS = emulator.new_table("backup_jobs")
COPIES = emulator.new_table("backup_copies")
RESTORES = emulator.new_table("backup_restores")
FIRED = emulator.new_table("backup_fired")
"""A plan's rule, or a restore testing plan, to when it was last due."""
