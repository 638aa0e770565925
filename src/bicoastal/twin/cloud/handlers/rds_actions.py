"""RDS's actions on instances and snapshots, and what DescribeDBInstances says of them.

Each refuses what RDS refuses, changes the record, and answers at once, as RDS does: `creating`, `rebooting`, `deleting`
are what the caller sees until the databases are so. They take the query protocol's requests as documents.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from bicoastal.twin.cloud import emulator, planes
from bicoastal.twin.cloud.answers import Raw
from bicoastal.twin.cloud.changes import CHANGES
from bicoastal.twin.cloud.handlers import rds_records as records
from bicoastal.twin.cloud.handlers.rds_births import create_instance
from bicoastal.twin.cloud.handlers.rds_records import IN_PLACE, Record
from bicoastal.twin.cloud.handlers.rds_snapshots import check_new, snapshot, take_snapshot
from bicoastal.twin.cloud.registry import ServiceError

Json = Any
Request = Mapping[str, Json]

_NUMBERS = (
    "Iops", "BackupRetentionPeriod", "MonitoringInterval", "MaxAllocatedStorage", "PerformanceInsightsRetentionPeriod",
    "AllocatedStorage", "Port",
)  # fmt: skip
_AT_ONCE = (
    "DeletionProtection", "CopyTagsToSnapshot", "PreferredBackupWindow", "PreferredMaintenanceWindow",
    "PubliclyAccessible", "MaxAllocatedStorage", "MonitoringInterval", "MonitoringRoleArn",
    "EnableCloudwatchLogsExports", "DatabaseInsightsMode", "EnablePerformanceInsights",
)  # fmt: skip
"""Applied whatever `ApplyImmediately` says."""


def _create(request: Request) -> Json:
    engine = request.get("Engine", "postgres")
    if engine != "postgres" or request.get("DBClusterIdentifier"):
        raise ServiceError("InvalidParameterValue", f"The twin runs RDS for PostgreSQL, and no {engine} clusters.")
    return _made(request)


def _create_replica(request: Request) -> Json:
    return _made(request)


def _restore(request: Request) -> Json:
    if not request.get("DBSnapshotIdentifier"):
        raise ServiceError("InvalidParameterValue", "DBSnapshotIdentifier is required.")
    return _made(request)


def _made(request: Request) -> Json:
    id_ = str(request.get("DBInstanceIdentifier") or "").lower()
    if not re.fullmatch(r"[a-z](-?[a-z0-9]+)*", id_) or len(id_) > 63:
        raise ServiceError("InvalidParameterValue", f"DBInstanceIdentifier {id_!r} is not a valid identifier.")
    record = create_instance(id_, _properties(request))
    records.put_tags(record, _tags(request))
    return _answer(record)


def _modify(request: Request) -> Json:
    record = records.instance(request["DBInstanceIdentifier"])
    if planes.attached(records.PLANE):
        records.require(record, "available", "backing-up")
    if request.get("NewDBInstanceIdentifier"):
        raise ServiceError("InvalidParameterValue", "The twin does not rename instances.")
    wanted, immediately = _properties(request), request.get("ApplyImmediately") == "true"
    acts = _modify_fields(record, wanted, immediately=immediately)
    if "AllocatedStorage" in wanted:
        records.grow(record, wanted["AllocatedStorage"])
    if wanted.get("MasterUserPassword"):
        # Asynchronous, and as soon as possible whatever `ApplyImmediately` says.
        records.change_password(record, wanted["MasterUserPassword"])
        acts = True
    if wanted.get("DBParameterGroupName"):
        _refuse_unknown_group(wanted["DBParameterGroupName"])
        record["DBParameterGroups"] = records.parameter_group(wanted["DBParameterGroupName"], "pending-reboot")
    if wanted.get("VPCSecurityGroups"):
        record["VpcSecurityGroups"] = records.security_groups(wanted["VPCSecurityGroups"])
    record["SecondaryAvailabilityZone"] = records.secondary(record)
    if acts:
        records.begin(record, "modifying")
    return _answer(record)


def _modify_fields(record: Record, wanted: Mapping[str, Json], *, immediately: bool) -> bool:
    """What is applied now, and what waits for the maintenance window. Returns whether the databases change by it."""
    if wanted.get("MultiAZ") and len(records.zones_of(record["DBSubnetGroup"])) < 2:
        raise ServiceError(
            "DBSubnetGroupDoesNotCoverEnoughAZs", "The DB subnet group doesn't meet Availability Zone coverage."
        )
    pending, acts = dict(record.get("PendingModifiedValues") or {}), False
    for name, field in IN_PLACE.items():
        if name not in wanted:
            continue
        if immediately or name in _AT_ONCE:
            acts |= name == "MultiAZ" and bool(record.get(field)) != wanted[name]
            record[field] = wanted[name]
            pending.pop(field, None)
        else:
            pending[field] = wanted[name]
    record["PendingModifiedValues"] = pending
    return acts


def _refuse_unknown_group(name: str) -> None:
    if not name.startswith("default.") and name not in emulator.store("rds", "_param_groups"):
        raise ServiceError("DBParameterGroupNotFound", f"DBParameterGroup not found: {name}", 404)


def _promote(request: Request) -> Json:
    record = records.instance(request["DBInstanceIdentifier"])
    records.promote(record)
    if request.get("BackupRetentionPeriod"):
        record["BackupRetentionPeriod"] = int(request["BackupRetentionPeriod"])
    return _answer(record)


def _reboot(request: Request) -> Json:
    record = records.instance(request["DBInstanceIdentifier"])
    records.reboot(record, failover=request.get("ForceFailover") == "true")
    return _answer(record)


def _stop(request: Request) -> Json:
    record = records.instance(request["DBInstanceIdentifier"])
    records.require(record, "available")
    if record.get("ReadReplicaSourceDBInstanceIdentifier") or record.get("ReadReplicaDBInstanceIdentifiers"):
        raise ServiceError("InvalidDBInstanceState", "An instance that is a replica, or has one, cannot be stopped.")
    records.begin(record, "stopping")
    return _answer(record)


def _start(request: Request) -> Json:
    record = records.instance(request["DBInstanceIdentifier"])
    records.require(record, "stopped")
    records.begin(record, "starting")
    return _answer(record)


def _delete(request: Request) -> Json:
    record = records.instance(request["DBInstanceIdentifier"])
    records.refuse_protected(record)
    if records.status(record) == "deleting":
        raise ServiceError("InvalidDBInstanceState", "The instance is being deleted already.")
    final, skip = request.get("FinalDBSnapshotIdentifier"), request.get("SkipFinalSnapshot") == "true"
    replica = record.get("ReadReplicaSourceDBInstanceIdentifier")
    if not skip and not final and not replica:
        raise ServiceError(
            "InvalidParameterCombination", "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is true."
        )
    if final and not skip:
        take_snapshot(record, final)
    records.delete_instance(record)
    records.put_status(record, "deleting")
    return _answer(record)


def _create_snapshot(request: Request) -> Json:
    record = records.instance(request["DBInstanceIdentifier"])
    if planes.attached(records.PLANE):
        records.require(record, "available", "backing-up")
    made = take_snapshot(record, request["DBSnapshotIdentifier"])
    return _put_snapshot_tags(made, _tags(request))


def _copy_snapshot(request: Request) -> Json:
    source, id_ = snapshot(request["SourceDBSnapshotIdentifier"]), request["TargetDBSnapshotIdentifier"]
    check_new(id_)
    region = source["DBSnapshotArn"].split(":")[3]
    key = request.get("KmsKeyId")
    if source.get("Encrypted") and region != emulator.region() and not key:
        raise ServiceError("InvalidParameterCombination", "An encrypted snapshot needs a key of the region it goes to.")
    made = {
        **source,
        "DBSnapshotIdentifier": id_,
        "DBSnapshotArn": f"arn:aws:rds:{emulator.region()}:{emulator.account()}:snapshot:{id_}",
        "SourceDBSnapshotIdentifier": source["DBSnapshotArn"],
        "SourceRegion": region,
        "KmsKeyId": key or source.get("KmsKeyId", ""),
        "TagList": [],
    }
    if planes.attached(records.PLANE):
        made.update({"Status": "creating", "PercentProgress": 0, "_CopyOf": [region, source["DBSnapshotIdentifier"]]})
    emulator.store("rds", "_snapshots")[id_] = made
    CHANGES.bump()
    copied = source.get("TagList", []) if request.get("CopyTags") == "true" else []
    return _put_snapshot_tags(made, {**{tag["Key"]: tag["Value"] for tag in copied}, **_tags(request)})


def _put_snapshot_tags(record: Record, tags: Mapping[str, str]) -> Json:
    if tags:
        record["TagList"] = [{"Key": key, "Value": value} for key, value in tags.items()]
        emulator.store("rds", "_tags")[record["DBSnapshotArn"]] = record["TagList"]
    return {"DBSnapshot": Raw(emulator.of_service("rds", "_snapshot_xml")(record))}


def _properties(request: Request) -> dict[str, Json]:
    """The request as a template would have it: numbers, truth values and lists in their types."""
    wanted: dict[str, Json] = {}
    for name, value in request.items():
        if name in _NUMBERS:
            wanted[name] = int(value)
        elif value in ("true", "false"):
            wanted[name] = value == "true"
        elif name == "VpcSecurityGroupIds":
            wanted["VPCSecurityGroups"] = _listed(value)
        elif name == "EnableCloudwatchLogsExports":
            wanted[name] = _listed(value)
        elif name == "CloudwatchLogsExportConfiguration":
            wanted["EnableCloudwatchLogsExports"] = _listed((value or {}).get("EnableLogTypes"))
        else:
            wanted[name] = value
    return wanted


def _listed(value: Json) -> list[str]:
    """A list of the query protocol, whatever its wrapper is called."""
    while isinstance(value, Mapping):
        value = next(iter(value.values()), None)
    return [] if value is None else [str(item) for item in value] if isinstance(value, list) else [str(value)]


def _tags(request: Request) -> dict[str, str]:
    tags = request.get("Tags") or []
    return {item["Key"]: item.get("Value", "") for item in tags if isinstance(item, Mapping) and "Key" in item}


def _answer(record: Record) -> Json:
    return {"DBInstance": Raw(emulator.of_service("rds", "_instance_xml")(record))}


_ENDPOINT = re.compile(r"<Endpoint>.*?</Endpoint>", re.DOTALL)


def complete_answers() -> None:
    """Put into DescribeDBInstances what ministack leaves empty, and the statuses that a restart makes it forget."""
    inner = emulator.of_service("rds", "_instance_xml")

    def instance_xml(record: Record) -> str:
        text = str(inner({**record, "DBInstanceStatus": records.status(record)}))
        exports = "".join(f"<member>{name}</member>" for name in record.get("EnabledCloudwatchLogsExports") or ())
        text = text.replace(
            "<EnabledCloudwatchLogsExports/>",
            f"<EnabledCloudwatchLogsExports>{exports}</EnabledCloudwatchLogsExports>"
            + _optional(record, "SecondaryAvailabilityZone")
            + _optional(record, "PerformanceInsightsKMSKeyId")
            + _optional(record, "DatabaseInsightsMode"),
        )
        text = text.replace("<StatusInfos/>", f"<StatusInfos>{_replication(record)}</StatusInfos>")
        if records.status(record) == "creating":
            text = _ENDPOINT.sub("", text)
        # RDS leaves out what is not there; an empty text would read as a source without a name.
        return text.replace("<ReadReplicaSourceDBInstanceIdentifier></ReadReplicaSourceDBInstanceIdentifier>", "")

    emulator.replace_in_service("rds", "_instance_xml", instance_xml)


def _replication(record: Record) -> str:
    """How a replica's replication is."""
    if not record.get("ReadReplicaSourceDBInstanceIdentifier"):
        return ""
    state = record.get("_Replication", "replicating")
    return (
        "<DBInstanceStatusInfo><StatusType>read replication</StatusType>"
        f"<Normal>{str(state == 'replicating').lower()}</Normal><Status>{state}</Status></DBInstanceStatusInfo>"
    )


def _optional(record: Record, name: str) -> str:
    return f"<{name}>{record[name]}</{name}>" if record.get(name) else ""


ACTIONS = {
    "CreateDBInstance": _create,
    "CreateDBInstanceReadReplica": _create_replica,
    "RestoreDBInstanceFromDBSnapshot": _restore,
    "ModifyDBInstance": _modify,
    "PromoteReadReplica": _promote,
    "RebootDBInstance": _reboot,
    "StopDBInstance": _stop,
    "StartDBInstance": _start,
    "DeleteDBInstance": _delete,
    "CreateDBSnapshot": _create_snapshot,
    "CopyDBSnapshot": _copy_snapshot,
}
