"""AWS Backup's jobs: begun and seen here, done by the backups controller, which reports how they went.

What is asked is checked as AWS Backup does: vaults and resources that are there, retention that the vault's lock
allows, copies that the role and the vault's own policy let go there. The rest is RDS's to refuse, to the role's calls.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from bicoastal.twin.cloud import emulator
from bicoastal.twin.cloud.handlers import backup_records as records
from bicoastal.twin.cloud.handlers.backup_records import Record
from bicoastal.twin.cloud.registry import ServiceError, Unchanged

Json = Any
_SUPPORTED = ":rds:"


def start_backup(request: Mapping[str, Json], **more: Json) -> Record:
    """StartBackupJob; `more` is what a plan adds. Raises ServiceError for what is not there or not supported."""
    vault = records.vault(request["BackupVaultName"])
    arn = str(request["ResourceArn"])
    if _SUPPORTED not in arn or ":db:" not in arn:
        raise ServiceError("InvalidParameterValueException", f"{arn}: the twin backs up DB instances.")
    if arn.rpartition(":")[2] not in emulator.store("rds", "_instances"):
        raise records.missing(f"{arn} does not exist.")
    _known_role(request["IamRoleArn"])
    token = request.get("IdempotencyToken")
    earlier = next((job for job in records.JOBS.values() if token and job["_Token"] == token), None)
    if earlier is not None:
        return _started(earlier)
    lifecycle = records.lifecycle(request.get("Lifecycle"))
    job = records.new_job(
        "backup",
        records.JOBS,
        BackupVaultName=vault["BackupVaultName"],
        BackupVaultArn=vault["BackupVaultArn"],
        ResourceArn=arn,
        ResourceName=arn.rpartition(":")[2],
        IamRoleArn=request["IamRoleArn"],
        PercentDone="0.0",
        IsParent=False,
        _Token=token,
        _Days=lifecycle.get("DeleteAfterDays"),
        _Tags=dict(request.get("RecoveryPointTags") or {}),
        _StartMinutes=int(request.get("StartWindowMinutes") or 480),
        _Copies=more.pop("copies", []),
        **more,
    )
    refused = records.refused_by_lock(vault, lifecycle.get("DeleteAfterDays"))
    if refused:
        records.turn(job, "FAILED", refused)
    return _started(job)


def _started(job: Record) -> Record:
    return {"BackupJobId": job["BackupJobId"], "CreationDate": job["CreationDate"], "IsParent": False}


def _known_role(arn: str) -> None:
    if emulator.store("iam", "_roles").get(str(arn).rpartition("/")[2]) is None:
        raise ServiceError("InvalidParameterValueException", f"The role {arn} does not exist.")


def stop_backup(id_: str) -> Record:
    """StopBackupJob: one that has not begun is given up; RDS's snapshots cannot be stopped half-way."""
    job = records.JOBS.get(id_)
    if job is None:
        raise records.missing(f"Backup job {id_} does not exist.")
    if records.is_over(job) or job["State"] == "RUNNING":
        raise ServiceError("InvalidRequestException", f"Backup job {id_} is {job['State']}: it cannot be stopped.")
    records.turn(job, "ABORTED", "It was stopped.")
    return {}


def start_copy(request: Mapping[str, Json], **more: Json) -> Record:
    """StartCopyJob, to a vault of any region that is there. Raises ServiceError."""
    source = records.vault(request["SourceBackupVaultName"])
    found = records.point(request["RecoveryPointArn"])
    if found["BackupVaultName"] != source["BackupVaultName"]:
        raise records.missing(f"{request['RecoveryPointArn']} is not in {source['BackupVaultName']}.")
    _known_role(request["IamRoleArn"])
    destination = str(request["DestinationBackupVaultArn"])
    region, name = records.vault_of(destination)
    days = records.lifecycle(request.get("Lifecycle")).get("DeleteAfterDays")
    job = records.new_job(
        "copy",
        records.COPIES,
        SourceBackupVaultArn=source["BackupVaultArn"],
        SourceRecoveryPointArn=found["RecoveryPointArn"],
        DestinationBackupVaultArn=destination,
        ResourceArn=found["ResourceArn"],
        ResourceName=found["ResourceName"],
        IamRoleArn=request["IamRoleArn"],
        IsParent=False,
        _Days=days,
        _Metadata=found["_Metadata"],
        **more,
    )
    refused = _refused_copy(job, source["BackupVaultName"])
    with emulator.in_region(region):
        vault = records.vault(name)
        job["_Key"] = vault.get("EncryptionKeyArn", "")
        refused = refused or records.refused_by_lock(vault, days)
    if refused:
        records.turn(job, "FAILED", refused)
    return {"CopyJobId": job["CopyJobId"], "CreationDate": job["CreationDate"], "IsParent": False}


def _refused_copy(job: Record, source: str) -> str:
    """What forbids that the data go there, if something does."""
    role, action, vault = job["IamRoleArn"], "backup:CopyFromBackupVault", job["SourceBackupVaultArn"]
    keys = {"backup:CopyTargets": [job["DestinationBackupVaultArn"]]}
    if not emulator.role_may(role, action, vault, keys):
        return f"{role} is not authorized to perform {action} on {vault} to {job['DestinationBackupVaultArn']}."
    policy = records.POLICIES.get(source)
    if policy and emulator.denied_by(policy, role, action, vault, keys):
        return f"The access policy of {vault} denies {action} to {job['DestinationBackupVaultArn']}."
    into = "backup:CopyIntoBackupVault"
    if not emulator.role_may(role, into, job["DestinationBackupVaultArn"], {}):
        return f"{role} is not authorized to perform {into} on {job['DestinationBackupVaultArn']}."
    return ""


def start_restore(request: Mapping[str, Json], **more: Json) -> Record:
    """StartRestoreJob: a new DB instance, as the metadata say. Raises ServiceError."""
    found = records.point(request["RecoveryPointArn"])
    metadata = {name: str(value) for name, value in (request.get("Metadata") or {}).items()}
    if not any(name.lower() == "dbinstanceidentifier" for name in metadata):
        raise ServiceError(
            "InvalidParameterValueException", "Metadata needs DBInstanceIdentifier, of the new instance."
        )
    role = request.get("IamRoleArn") or found["IamRoleArn"]
    _known_role(role)
    job = records.new_job(
        "restore",
        records.RESTORES,
        RecoveryPointArn=found["RecoveryPointArn"],
        SourceResourceArn=found["ResourceArn"],
        BackupVaultArn=found["BackupVaultArn"],
        BackupSizeInBytes=found["BackupSizeInBytes"],
        IamRoleArn=role,
        PercentDone="0.00%",
        _Metadata=metadata,
        **more,
    )
    return {"RestoreJobId": job["RestoreJobId"]}


def delete_point(vault_name: str, arn: str) -> Record:
    """DeleteRecoveryPoint: a locked vault and its access policy say no to everybody. Raises ServiceError."""
    vault, found = records.vault(vault_name), records.point(arn)
    if found["BackupVaultName"] != vault_name:
        raise records.missing(f"{arn} is not in {vault_name}.")
    policy = records.POLICIES.get(vault_name)
    if policy and emulator.denied_by(policy, emulator.caller(), "backup:DeleteRecoveryPoint", arn, {}):
        raise ServiceError("AccessDeniedException", f"The access policy of {vault_name} denies it.", 403)
    if vault.get("Locked"):
        raise ServiceError("InvalidRequestException", f"{vault_name} is locked: its recovery points expire, no more.")
    records.remove_point(arn)
    return {}


# What the controller asks and says.


def work() -> Record:
    """Jobs of the region that are not over, and recovery points that expire."""
    return {
        "backups": [dict(job) for job in records.JOBS.values() if not records.is_over(job)],
        "copies": [dict(job) for job in records.COPIES.values() if not records.is_over(job)],
        "restores": [
            dict(job) for job in records.RESTORES.values() if not records.is_over(job) or job.get("_DeleteAfter")
        ],
        "expiring": [
            {
                "arn": item["RecoveryPointArn"],
                "created": item["CreationDate"],
                "days": item["Lifecycle"]["DeleteAfterDays"],
            }
            for item in records.POINTS.values()
            if "Lifecycle" in item
        ],
        "ended": _ended(),
    }


def _ended() -> list[Json]:
    """How many backup jobs of each vault have ended in each state."""
    found: dict[tuple[str, str], int] = {}
    for job in records.JOBS.values():
        if records.is_over(job):
            key = job["BackupVaultName"], job["State"]
            found[key] = found.get(key, 0) + 1
    return [[vault, state, number] for (vault, state), number in found.items()]


def backup_said(data: Mapping[str, Json]) -> Json:
    """A backup job's state, and its snapshot."""
    job = records.JOBS[data["id"]]
    if records.is_over(job):
        return Unchanged()
    if data.get("arn"):
        job["RecoveryPointArn"] = data["arn"]
    if data["state"] == "COMPLETED":
        metadata = {name: str(value) for name, value in data["metadata"].items()}
        job["BackupSizeInBytes"] = int(data.get("bytes", 0))
        point = records.put_point(job, job["BackupVaultName"], data["arn"], days=job["_Days"], metadata=metadata)
        records.turn(job, "COMPLETED")
        for copy in job["_Copies"]:
            _copy_of_plan(job, point, copy)
        return None
    records.turn(job, data["state"], data.get("message", ""))
    return None


def _copy_of_plan(job: Record, point: Record, copy: Mapping[str, Json]) -> None:
    request = {
        "SourceBackupVaultName": job["BackupVaultName"],
        "RecoveryPointArn": point["RecoveryPointArn"],
        "DestinationBackupVaultArn": copy["DestinationBackupVaultArn"],
        "IamRoleArn": job["IamRoleArn"],
        "Lifecycle": copy.get("Lifecycle"),
    }
    try:
        start_copy(request, CreatedBy=job["CreatedBy"])
    except ServiceError as error:
        failed = records.new_job(
            "copy",
            records.COPIES,
            SourceBackupVaultArn=job["BackupVaultArn"],
            SourceRecoveryPointArn=point["RecoveryPointArn"],
            DestinationBackupVaultArn=copy["DestinationBackupVaultArn"],
            ResourceArn=job["ResourceArn"],
            IamRoleArn=job["IamRoleArn"],
            CreatedBy=job["CreatedBy"],
        )
        records.turn(failed, "FAILED", error.message)


def copy_said(data: Mapping[str, Json]) -> Json:
    """A copy job's state, and its snapshot in the other region."""
    job = records.COPIES[data["id"]]
    if records.is_over(job):
        return Unchanged()
    if data["state"] == "COMPLETED":
        region, name = records.vault_of(job["DestinationBackupVaultArn"])
        with emulator.in_region(region):
            records.put_point(job, name, data["arn"], days=job["_Days"], metadata=job["_Metadata"])
        job["DestinationRecoveryPointArn"] = data["arn"]
    records.turn(job, data["state"], data.get("message", ""))
    return None


def restore_said(data: Mapping[str, Json]) -> Json:
    """A restore job's state, and the instance that it has made, or that was deleted after a test."""
    job = records.RESTORES[data["id"]]
    if data.get("deleted"):
        job.pop("_DeleteAfter", None)
        job["DeletionStatus"] = "SUCCESSFUL"
        return None
    if records.is_over(job):
        return Unchanged()
    if data.get("begun"):
        job["_Begun"] = True
        return Unchanged()
    if data.get("arn"):
        job["CreatedResourceArn"] = data["arn"]
    records.turn(job, data["state"], data.get("message", ""))
    return None


def expired(data: Mapping[str, Json]) -> Json:
    """The time of a recovery point is over."""
    records.remove_point(data["arn"])


def plain_policy(text: Json) -> Json:
    """An access policy as a document."""
    return json.loads(text) if isinstance(text, str) else text


REPORTS = {
    "backup.job": backup_said,
    "backup.copy": copy_said,
    "backup.restore": restore_said,
    "backup.expired": expired,
}
