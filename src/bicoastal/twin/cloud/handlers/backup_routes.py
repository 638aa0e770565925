"""AWS Backup's REST calls that are answered here where the backups controller runs; the others are ministack's."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from bicoastal.twin.cloud import answers, emulator, planes, registry, rights
from bicoastal.twin.cloud.answers import Answer
from bicoastal.twin.cloud.handlers import backup_jobs, backup_plans, rds_rights
from bicoastal.twin.cloud.handlers import backup_records as records
from bicoastal.twin.cloud.registry import ServiceError, Wanted
from bicoastal.twin.cloud.rights import Check, Request, hand_over

Json = Any
Query = Mapping[str, str]
_LARGEST_PAGE = 1000


def install() -> None:
    """Vaults have their lock and policy in any case; jobs that somebody has to do, only where somebody does."""
    registry.extend("AWS::Backup::BackupVault", after=_configure)
    rights.rules({**RIGHTS, **rds_rights.RIGHTS})
    handlers = emulator.service_handlers()
    inner = handlers["backup"]

    async def handle(
        method: str, path: str, headers: Mapping[str, str], body: bytes, query: Mapping[str, Sequence[str]]
    ) -> Answer:
        asked = {name: value if isinstance(value, str) else "".join(value[:1]) for name, value in query.items()}
        try:
            found = _route(method, [unquote(part) for part in path.strip("/").split("/")], body, asked)
        except ServiceError as error:
            return answers.json_error(error)
        if found is None:
            other: Answer = await inner(method, path, headers, body, query)
            return other
        return answers.json_answer(found)

    handlers["backup"] = handle
    if planes.attached("backups"):
        registry.reports({**backup_jobs.REPORTS, **backup_plans.REPORTS})
        registry.questions({"backup.work": _work})


def _work(asked: Mapping[str, Json]) -> Json:
    """All that the controller has to do in a region."""
    del asked
    return {**backup_jobs.work(), "schedules": backup_plans.work()}


def _configure(name: str, wanted: Wanted) -> None:
    """What ministack makes nothing of: a vault's lock, and its access policy."""
    lock = wanted.get("LockConfiguration")
    _lock(name, lock) if lock else _unlock(name)
    if wanted.get("AccessPolicy"):
        records.POLICIES[name] = wanted.get("AccessPolicy")
    else:
        records.POLICIES.pop(name, None)


def _lock(name: str, lock: Mapping[str, Json]) -> Json:
    record = records.vault(name)
    record.update(
        {key: int(lock[key]) for key in ("MinRetentionDays", "MaxRetentionDays") if lock.get(key)}, Locked=True
    )
    return {}


def _unlock(name: str) -> Json:
    record = records.vault(name)
    record["Locked"] = False
    for key in ("MinRetentionDays", "MaxRetentionDays"):
        record.pop(key, None)
    return {}


_BEGINS: Mapping[str, Callable[..., records.Record]] = {
    "backup-jobs": backup_jobs.start_backup,
    "copy-jobs": backup_jobs.start_copy,
    "restore-jobs": backup_jobs.start_restore,
}


def _route(method: str, parts: list[str], body: bytes, query: Query) -> Json:
    """The answer, or None where the call is not ours."""
    data = json.loads(body) if body.startswith(b"{") else {}
    if parts[0] == "backup-vaults" and len(parts) >= 2:
        return _vault(method, parts[1], parts[2:], data, query)
    found = None
    if planes.attached("backups"):
        match method, parts:
            case "PUT", [kind] if kind in _BEGINS:
                found = _BEGINS[kind](data)
            case "PUT", ["restore-jobs", id_, "validations"]:
                message = data.get("ValidationStatusMessage", "")
                job = _found(records.RESTORES, id_)
                job.update(ValidationStatus=data["ValidationStatus"], ValidationStatusMessage=message)
                found = {}
            case "POST", ["backup-jobs", id_]:
                found = backup_jobs.stop_backup(id_)
            case "GET", [kind, *_] if kind in _BEGINS:
                found = _jobs(parts, query)
            case "GET", ["resources", *_]:
                found = _resources(parts, query)
    return found


def _vault(method: str, name: str, rest: list[str], data: Mapping[str, Json], query: Query) -> Json:
    if rest and rest[0] == "recovery-points" and planes.attached("backups"):
        return _points(method, name, rest[1:], query)
    found: Json = None
    match method, rest:
        case "PUT", ["vault-lock"]:
            found = _lock(name, data)
        case "DELETE", ["vault-lock"]:
            found = _unlock(name)
        case "PUT", ["access-policy"]:
            records.vault(name)
            records.POLICIES[name] = backup_jobs.plain_policy(data["Policy"])
            found = {}
        case "DELETE", ["access-policy"]:
            records.POLICIES.pop(name, None)
            found = {}
        case "GET", ["access-policy"] if name in records.POLICIES:
            policy = json.dumps(records.POLICIES[name])
            found = {"BackupVaultName": name, "BackupVaultArn": records.vault(name)["BackupVaultArn"], "Policy": policy}
        case "DELETE", [] if records.vault(name).get("NumberOfRecoveryPoints"):
            raise ServiceError("InvalidRequestException", f"{name} still has recovery points.")
    return found


def _points(method: str, name: str, rest: list[str], query: Query) -> Json:
    records.vault(name)
    match method, [part for part in rest if part]:
        case "GET", []:
            wanted = query.get("resourceArn")
            plan = query.get("backupPlanId")
            found = [
                item
                for item in records.POINTS.values()
                if item["BackupVaultName"] == name
                and (not wanted or item["ResourceArn"] == wanted)
                and (not plan or item.get("CreatedBy", {}).get("BackupPlanId") == plan)
            ]
            return _page("RecoveryPoints", found, query)
        case "GET", [arn, "restore-metadata"]:
            point = _in(name, arn)
            return {
                "BackupVaultArn": point["BackupVaultArn"],
                "RecoveryPointArn": arn,
                "RestoreMetadata": point["_Metadata"],
                "ResourceType": "RDS",
            }
        case "GET", [arn]:
            return records.public(_in(name, arn))
        case "DELETE", [arn]:
            return backup_jobs.delete_point(name, arn)
    return None


def _in(name: str, arn: str) -> records.Record:
    point = records.point(arn)
    if point["BackupVaultName"] != name:
        raise records.missing(f"{arn} is not in {name}.")
    return point


_FILTERS = {
    "state": "State",
    "status": "Status",
    "resourceArn": "ResourceArn",
    "resourceType": "ResourceType",
    "backupVaultName": "BackupVaultName",
    "destinationVaultArn": "DestinationBackupVaultArn",
    "sourceRecoveryPointArn": "SourceRecoveryPointArn",
}


def _jobs(parts: list[str], query: Query) -> Json:
    tables: Mapping[str, tuple[Any, str]] = {
        "backup-jobs": (records.JOBS, "BackupJobs"),
        "copy-jobs": (records.COPIES, "CopyJobs"),
        "restore-jobs": (records.RESTORES, "RestoreJobs"),
    }
    table, name = tables[parts[0]]
    match [part for part in parts[1:] if part]:
        case []:
            found = [
                job
                for job in table.values()
                if all(job.get(_FILTERS[key]) == value for key, value in query.items() if key in _FILTERS)
            ]
            found.sort(key=lambda job: float(job["CreationDate"]), reverse=True)
            return _page(name, found, query)
        case [id_]:
            job = records.public(_found(table, id_))
            return {"CopyJob": job} if parts[0] == "copy-jobs" else job
        case [id_, "metadata"]:
            return {"RestoreJobId": id_, "Metadata": _found(table, id_)["_Metadata"]}
    return None


def _found(table: Any, id_: str) -> records.Record:
    job: records.Record | None = table.get(id_)
    if job is None:
        raise records.missing(f"Job {id_} does not exist.")
    return job


def _resources(parts: list[str], query: Query) -> Json:
    match [part for part in parts[1:] if part]:
        case []:
            latest: dict[str, records.Record] = {}
            for point in sorted(records.POINTS.values(), key=lambda item: float(item["CreationDate"])):
                latest[point["ResourceArn"]] = _protected(point)
            return _page("Results", list(latest.values()), query)
        case [arn, "recovery-points"]:
            found = [item for item in records.POINTS.values() if item["ResourceArn"] == arn]
            return _page(
                "RecoveryPoints", [{**item, "BackupSizeBytes": item["BackupSizeInBytes"]} for item in found], query
            )
        case [arn]:
            points = [item for item in records.POINTS.values() if item["ResourceArn"] == arn]
            if not points:
                raise records.missing(f"{arn} is not protected.")
            return _protected(max(points, key=lambda item: float(item["CreationDate"])))
    return None


def _protected(point: records.Record) -> records.Record:
    return {
        "ResourceArn": point["ResourceArn"],
        "ResourceType": "RDS",
        "ResourceName": point["ResourceName"],
        "LastBackupTime": point["CreationDate"],
        "LastBackupVaultArn": point["BackupVaultArn"],
        "LastRecoveryPointArn": point["RecoveryPointArn"],
    }


def _page(name: str, found: list[records.Record], query: Query) -> Json:
    token = query.get("nextToken") or "0"
    if not token.isdecimal():
        raise ServiceError("InvalidParameterValueException", "The token is none that was given.")
    first, most = int(token), min(int(query.get("maxResults") or _LARGEST_PAGE), _LARGEST_PAGE)
    page = [records.public(item) for item in found[first : first + most]]
    return {name: page, **({"NextToken": str(first + most)} if first + most < len(found) else {})}


def _hands_role(of: Callable[[Request], str]) -> Callable[[Request], Sequence[Check]]:
    def rule(request: Request) -> Sequence[Check]:
        checks = [Check(of(request))]
        role = request.data.get("IamRoleArn")
        return [*checks, hand_over(role, "backup.amazonaws.com")] if role else checks

    return rule


def _point_in_path(request: Request) -> Sequence[Check]:
    return [Check(unquote(request.path).partition("/recovery-points/")[2].removesuffix("/restore-metadata"))]


RIGHTS = {
    "backup:StartBackupJob": _hands_role(
        lambda request: request.arn("backup", f"backup-vault:{request.data.get('BackupVaultName', '*')}")
    ),
    "backup:StartCopyJob": _hands_role(lambda request: str(request.data.get("RecoveryPointArn", "*"))),
    "backup:StartRestoreJob": _hands_role(lambda request: str(request.data.get("RecoveryPointArn", "*"))),
    "backup:DeleteRecoveryPoint": _point_in_path,
    "backup:DescribeRecoveryPoint": _point_in_path,
    "backup:GetRecoveryPointRestoreMetadata": _point_in_path,
}
