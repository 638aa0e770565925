"""What RDS remembers of DB instances and snapshots, and the rules by which it comes to be and changes.

Where the data plane `databases` is attached, a change is an intention with a status (`creating`, `modifying`) until the
controller says that it is so; without it, what was asked is so at once. Nothing here answers a request: that is
`rds_actions`, and CloudFormation's side of it `rds`.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from bicoastal.twin.cloud import emulator, planes
from bicoastal.twin.cloud.changes import CHANGES
from bicoastal.twin.cloud.registry import ServiceError

Json = Any
Record = dict[str, Json]

PLANE = "databases"
DEFAULT_MINOR = {"14": "14.19", "15": "15.14", "16": "16.10", "17": "17.6"}
"""The minor version that RDS takes for a major one alone; of autumn 2025."""

IN_PLACE = {
    "DBInstanceClass": "DBInstanceClass",
    "StorageType": "StorageType",
    "Iops": "Iops",
    "PreferredBackupWindow": "PreferredBackupWindow",
    "BackupRetentionPeriod": "BackupRetentionPeriod",
    "PreferredMaintenanceWindow": "PreferredMaintenanceWindow",
    "MultiAZ": "MultiAZ",
    "AutoMinorVersionUpgrade": "AutoMinorVersionUpgrade",
    "PubliclyAccessible": "PubliclyAccessible",
    "CopyTagsToSnapshot": "CopyTagsToSnapshot",
    "MonitoringInterval": "MonitoringInterval",
    "MonitoringRoleArn": "MonitoringRoleArn",
    "CACertificateIdentifier": "CACertificateIdentifier",
    "DeletionProtection": "DeletionProtection",
    "MaxAllocatedStorage": "MaxAllocatedStorage",
    "EnablePerformanceInsights": "PerformanceInsightsEnabled",
    "PerformanceInsightsRetentionPeriod": "PerformanceInsightsRetentionPeriod",
    "PerformanceInsightsKMSKeyId": "PerformanceInsightsKMSKeyId",
    "EnableIAMDatabaseAuthentication": "IAMDatabaseAuthenticationEnabled",
    "EnableCloudwatchLogsExports": "EnabledCloudwatchLogsExports",
    "DatabaseInsightsMode": "DatabaseInsightsMode",
}
"""Template property to the record's field, for what changes in place."""
_SETTLES = {
    "creating": "available",
    "modifying": "available",
    "rebooting": "available",
    "starting": "available",
    "stopping": "stopped",
}


def instance(id_: str) -> Record:
    """An instance of this region by identifier, or of any region by ARN. Raises ServiceError where it is not there."""
    if id_.startswith("arn:"):
        _, _, _, region, _, _, name = id_.split(":", 6)
        with emulator.in_region(region):
            found = emulator.store("rds", "_instances").get(name)
    else:
        found = emulator.store("rds", "_instances").get(id_)
    if found is None:
        raise ServiceError("DBInstanceNotFound", f"DBInstance {id_} not found.", 404)
    record: Record = found
    return record


def region_of(record: Record) -> str:
    """Where it is."""
    return str(record["DBInstanceArn"].split(":")[3])


def status(record: Record) -> str:
    """Its status. Kept beside ministack's own field, which a restart of the control plane makes `available`."""
    return str(record.get("_Status") or record["DBInstanceStatus"])


def put_status(record: Record, value: str) -> None:
    """Set it."""
    record["_Status"] = record["DBInstanceStatus"] = value


def begin(record: Record, value: str) -> None:
    """The record asks for something new: it has this status until the controller says that it is so.

    Whoever waits for the controller holds up the report of its own change, so it is told here.
    """
    if planes.attached(PLANE):
        record["_Version"] = record.get("_Version", 0) + 1
        put_status(record, value)
        CHANGES.bump()
    elif value in _SETTLES:
        put_status(record, _SETTLES[value])


def settle(record: Record, version: int) -> None:
    """All that was asked up to this version is so."""
    if record.get("_Version", 0) == version and status(record) in _SETTLES:
        put_status(record, _SETTLES[status(record)])


def require(record: Record, *allowed: str) -> None:
    """Raise ServiceError unless the instance has one of these statuses."""
    if status(record) not in allowed:
        raise ServiceError(
            "InvalidDBInstanceState",
            f"DB Instance {record['DBInstanceIdentifier']} is {status(record)}, and not {' or '.join(allowed)}.",
        )


def promote(record: Record) -> None:
    """PromoteReadReplica: it stands alone from now on. Raises ServiceError for what cannot be promoted."""
    name = record["DBInstanceIdentifier"]
    if not record.get("ReadReplicaSourceDBInstanceIdentifier"):
        raise ServiceError("InvalidDBInstanceState", f"DB Instance {name} is not a read replica.")
    require(record, "available")
    if planes.attached(PLANE):
        record["_Promoting"] = True
        begin(record, "modifying")
    else:
        promoted(record)


def promoted(record: Record) -> None:
    """It stands alone now."""
    _forget_source(record)
    record["ReadReplicaSourceDBInstanceIdentifier"] = ""
    for name in ("_Promoting", "_Replication"):
        record.pop(name, None)


def check_password(password: str) -> None:
    """Raise ServiceError for one that RDS does not take."""
    if len(password) < 8 or set('/"@ ') & set(password):
        raise ServiceError("InvalidParameterValue", "The parameter MasterUserPassword is not a valid password.")


def change_password(record: Record, password: str) -> None:
    """Of the master. Raises ServiceError for one that RDS does not take."""
    check_password(password)
    record["_MasterUserPassword"] = password
    record["_PasswordVersion"] = record.get("_PasswordVersion", 0) + 1


def reboot(record: Record, *, failover: bool) -> None:
    """Restart it, by moving to its standby or in place. Raises ServiceError as RDS does."""
    require(record, "available")
    if failover and not record.get("MultiAZ"):
        raise ServiceError(
            "InvalidParameterCombination",
            f"ForceFailover is for Multi-AZ instances, and {record['DBInstanceIdentifier']} is none.",
        )
    if planes.attached(PLANE):
        record["_Operation"] = {"id": secrets.token_hex(8), "failover": failover}
    else:
        _in_sync(record)
    begin(record, "rebooting")


def _in_sync(record: Record) -> None:
    for group in record["DBParameterGroups"]:
        group["ParameterApplyStatus"] = "in-sync"


def delete_instance(record: Record) -> None:
    """Delete it. RDS refuses it while it is protected, and sets its replicas free."""
    refuse_protected(record)
    if planes.attached(PLANE):
        begin(record, "deleting")
    else:
        remove(record)


def remove(record: Record) -> None:
    """It is gone."""
    _free_replicas(record)
    _forget_source(record)
    emulator.store("rds", "_instances").pop(record["DBInstanceIdentifier"], None)
    emulator.store("rds", "_tags").pop(record["DBInstanceArn"], None)


def _forget_source(record: Record) -> None:
    try:
        source = instance(record.get("ReadReplicaSourceDBInstanceIdentifier") or "")
    except ServiceError:
        return
    name = name_from(source, record)
    source["ReadReplicaDBInstanceIdentifiers"] = [
        replica for replica in source["ReadReplicaDBInstanceIdentifiers"] if replica != name
    ]


def _free_replicas(record: Record) -> None:
    """Replicas of a source that is deleted: promoted in its own region, and left as they are in another."""
    for name in record.get("ReadReplicaDBInstanceIdentifiers", ()):
        try:
            replica = instance(name)
        except ServiceError:
            continue
        if region_of(replica) != region_of(record):
            replica["_Replication"] = "terminated"
        elif planes.attached(PLANE):
            replica["_Promoting"] = True
            begin(replica, "modifying")
        else:
            replica["ReadReplicaSourceDBInstanceIdentifier"] = ""


def name_from(source: Record, replica: Record) -> str:
    """How the source names the replica: by ARN across regions."""
    same = region_of(source) == region_of(replica)
    return str(replica["DBInstanceIdentifier"] if same else replica["DBInstanceArn"])


def refuse_protected(record: Record) -> None:
    """Raise ServiceError while it is protected."""
    if record.get("DeletionProtection"):
        raise ServiceError(
            "InvalidParameterCombination",
            "Cannot delete protected DB Instance, please disable deletion protection and try again.",
        )


def grow(record: Record, size: int) -> None:
    """To more storage, in GiB: it never shrinks."""
    if size < record["AllocatedStorage"]:
        raise ServiceError("InvalidParameterCombination", "Requested storage must not be below the allocated one.")
    record["AllocatedStorage"] = size


def version(given: str) -> str:
    """Of the engine, with its minor part."""
    major, dot, _ = given.partition(".")
    if major not in DEFAULT_MINOR:
        raise ServiceError("InvalidParameterCombination", f"Cannot find version {given} for postgres")
    return given if dot else DEFAULT_MINOR[major]


def zones_of(group: Record | None) -> list[str]:
    """The Availability Zones of a subnet group."""
    subnets = emulator.store("ec2", "_subnets")
    ids = [item["SubnetIdentifier"] for item in (group or {}).get("Subnets", ())]
    return sorted({subnets[id_]["AvailabilityZone"] for id_ in ids if id_ in subnets})


def secondary(record: Record) -> str | None:
    """Where the standby of a Multi-AZ instance is: where it was, or in another zone of the subnet group."""
    if not record.get("MultiAZ"):
        return None
    others = [zone for zone in zones_of(record["DBSubnetGroup"]) if zone != record["AvailabilityZone"]]
    before = record.get("SecondaryAvailabilityZone")
    return before if before in others else next(iter(others), None)


def security_groups(ids: Json) -> list[Json]:
    """As a record has them."""
    return [{"VpcSecurityGroupId": id_, "Status": "active"} for id_ in ids or ()]


def parameter_group(name: str | None, state: str) -> list[Json]:
    """As a record has it."""
    return [{"DBParameterGroupName": name or "default.postgres17", "ParameterApplyStatus": state}]


def put_tags(record: Record, tags: Mapping[str, str]) -> None:
    """All of them."""
    listed = [{"Key": key, "Value": value} for key, value in tags.items()]
    record["TagList"] = listed
    emulator.store("rds", "_tags")[record["DBInstanceArn"]] = listed
