"""What the databases' controller asks of RDS, and what it says of the databases that it runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bicoastal.twin.cloud import emulator
from bicoastal.twin.cloud.handlers import rds_records as records
from bicoastal.twin.cloud.handlers.rds_events import put_event
from bicoastal.twin.cloud.handlers.rds_records import Record
from bicoastal.twin.cloud.registry import ServiceError

Json = Any


def _desired(asked: Mapping[str, Json]) -> Json:
    """All instances and snapshots of the region, as their controller needs them: passwords too, which no API shows."""
    del asked
    groups = emulator.store("rds", "_param_groups")
    instances = [record for record in emulator.store("rds", "_instances").values() if record["Engine"] == "postgres"]
    return {
        "instances": [_instance(record) for record in instances],
        "snapshots": [
            {
                "identifier": name,
                "instance": record["DBInstanceIdentifier"],
                "status": record["Status"],
                "copy_of": record.get("_CopyOf"),
            }
            for name, record in emulator.store("rds", "_snapshots").items()
        ],
        "groups": {name: _parameters(group) for name, group in groups.items()},
    }


def _instance(record: Record) -> Json:
    source = record.get("ReadReplicaSourceDBInstanceIdentifier") or ""
    if source and not source.startswith("arn:"):
        source = record["DBInstanceArn"].rpartition(":")[0] + ":" + source
    return {
        "identifier": record["DBInstanceIdentifier"],
        "resource_id": record["DbiResourceId"],
        "status": records.status(record),
        "version": record.get("_Version", 0),
        "zone": record["AvailabilityZone"],
        "secondary": record.get("SecondaryAvailabilityZone") or "",
        "zones": records.zones_of(record.get("DBSubnetGroup")),
        "multi_az": bool(record.get("MultiAZ")),
        "port": int(record["Endpoint"]["Port"]),
        "address": record["Endpoint"]["Address"],
        "master": record["MasterUsername"],
        "password": record.get("_MasterUserPassword") or "",
        "password_version": record.get("_PasswordVersion", 0),
        "database": record.get("DBName") or "",
        "source": source,
        "promoting": bool(record.get("_Promoting")),
        "replication": record.get("_Replication", "replicating"),
        "group": record["DBParameterGroups"][0]["DBParameterGroupName"],
        "group_status": record["DBParameterGroups"][0]["ParameterApplyStatus"],
        "operation": record.get("_Operation"),
        "born_of": record.get("_BornOf"),
        "exports": list(record.get("EnabledCloudwatchLogsExports") or ()),
        "storage_gib": int(record["AllocatedStorage"]),
    }


def _parameters(group: Record) -> dict[str, str]:
    return {
        name: str(value.get("ParameterValue", "") if isinstance(value, Mapping) else value)
        for name, value in (group.get("Parameters") or {}).items()
    }


def _told(said: Mapping[str, Json]) -> None:
    """What is so of an instance: each part is given where it is different from what the API says."""
    record = records.instance(said["identifier"])
    if record["DbiResourceId"] != said["resource_id"]:
        raise ServiceError("DBInstanceNotFound", f"{said['resource_id']} is gone: another bears its name.", 404)
    if said.get("gone"):
        records.remove(record)
        return
    if said.get("address"):
        record["Endpoint"]["Address"] = said["address"]
    if said.get("zone"):
        record["AvailabilityZone"], record["SecondaryAvailabilityZone"] = said["zone"], said.get("secondary")
    if said.get("promoted"):
        records.promoted(record)
    if said.get("replication"):
        record["_Replication"] = said["replication"]
    if said.get("group_status"):
        record["DBParameterGroups"][0]["ParameterApplyStatus"] = said["group_status"]
    if said.get("operation") and (record.get("_Operation") or {}).get("id") == said["operation"]:
        del record["_Operation"]
    if said.get("event"):
        put_event(record, said["event"], *said.get("categories", ()))
    if "settled" in said:
        records.settle(record, int(said["settled"]))


def _status(said: Mapping[str, Json]) -> None:
    """`backing-up` while another room keeps its data, and `available` again."""
    record = records.instance(said["identifier"])
    wanted = said["status"]
    if wanted not in ("backing-up", "available"):
        raise ServiceError("InvalidParameterValue", f"{wanted} is not reported: backing-up and available are.")
    records.require(record, "backing-up", "available")
    records.put_status(record, wanted)


def _snapshot(said: Mapping[str, Json]) -> None:
    """Its data are kept, or could not be."""
    snapshots = emulator.store("rds", "_snapshots")
    if said["identifier"] not in snapshots:
        raise ServiceError("DBSnapshotNotFound", f"DBSnapshot {said['identifier']} not found.", 404)
    made = snapshots[said["identifier"]]
    made.update({"Status": said["status"], "PercentProgress": 100 if said["status"] == "available" else 0})
    record = emulator.store("rds", "_instances").get(made["DBInstanceIdentifier"])
    busy = any(
        other["Status"] == "creating" and not other.get("_CopyOf")
        for other in snapshots.values()
        if other["DBInstanceIdentifier"] == made["DBInstanceIdentifier"]
    )
    if record is not None and records.status(record) == "backing-up" and not busy:
        records.put_status(record, "available")


REPORTS = {"rds.instance": _told, "rds.status": _status, "rds.snapshot": _snapshot}
QUESTIONS = {"rds.desired": _desired}
