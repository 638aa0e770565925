"""How a DB instance is born in RDS: new, as a replica of another, or from a snapshot."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Mapping
from typing import Any

from bicoastal.twin.cloud import emulator
from bicoastal.twin.cloud.handlers import rds_records as records
from bicoastal.twin.cloud.handlers.rds_records import Record
from bicoastal.twin.cloud.handlers.rds_snapshots import snapshot
from bicoastal.twin.cloud.registry import ServiceError

Json = Any

_RDS_ZONE = "Z2R2ITUGPM61AM"
_INHERITED = ("Engine", "EngineVersion", "MasterUsername", "DBName", "AllocatedStorage", "LicenseModel")
"""What a replica has from its source, and a restored instance from its snapshot."""


def create_instance(id_: str, wanted: Mapping[str, Json]) -> Record:
    """Make an instance, a replica, or one from a snapshot. Raises ServiceError as RDS does."""
    table = emulator.store("rds", "_instances")
    if id_ in table:
        raise ServiceError("DBInstanceAlreadyExists", f"DB instance {id_} already exists")
    source = (
        records.instance(wanted["SourceDBInstanceIdentifier"]) if wanted.get("SourceDBInstanceIdentifier") else None
    )
    for name in ("KmsKeyId", "PerformanceInsightsKMSKeyId"):
        _check_key(str(wanted.get(name) or ""))
    record = _settings(id_, wanted)
    if source is not None:
        record.update(_born_of(source, wanted))
    elif wanted.get("DBSnapshotIdentifier"):
        record.update(_born_again(snapshot(str(wanted["DBSnapshotIdentifier"])), wanted))
    else:
        record.update(_born_new(wanted))
    record["SecondaryAvailabilityZone"] = records.secondary(record)
    table[id_] = record
    if source is not None:
        source.setdefault("ReadReplicaDBInstanceIdentifiers", []).append(records.name_from(source, record))
    records.begin(record, "creating")
    return record


def _check_key(key: str) -> None:
    """RDS asks its own region's KMS: a key of another region is none to it."""
    if key.startswith("arn:") and key.split(":")[3] != emulator.region():
        raise ServiceError(
            "KMSKeyNotAccessibleFault",
            f"The specified KMS key [{key}] does not exist, is not enabled or you do not have permissions to access "
            "it.",
        )


def _born_new(wanted: Mapping[str, Json]) -> Record:
    for name in ("Engine", "MasterUsername", "AllocatedStorage", "DBInstanceClass"):
        if not wanted.get(name):
            raise ServiceError("InvalidParameterValue", f"The parameter {name} must be provided and must not be blank.")
    password = str(wanted.get("MasterUserPassword") or "")
    if not wanted.get("ManageMasterUserPassword"):
        records.check_password(password)
    if wanted.get("DeletionProtection") and not wanted.get("DBSubnetGroupName"):
        raise ServiceError("InvalidSubnet", "No default subnet group: name one.")
    return {
        "MasterUsername": wanted["MasterUsername"],
        "_MasterUserPassword": password,
        "_PasswordVersion": 1,
        "DBName": wanted.get("DBName", ""),
        "AllocatedStorage": int(wanted["AllocatedStorage"]),
        "StorageEncrypted": bool(wanted.get("StorageEncrypted", False)),
        "EngineVersion": records.version(str(wanted.get("EngineVersion") or "17")),
        "ReadReplicaSourceDBInstanceIdentifier": "",
    }


def _born_of(source: Record, wanted: Mapping[str, Json]) -> Record:
    """A replica. Across regions an encrypted source needs a key of the replica's own region."""
    here = records.region_of(source) == emulator.region()
    if records.status(source) not in ("available", "backing-up"):
        raise ServiceError("InvalidDBInstanceState", f"{source['DBInstanceIdentifier']} is not in available state.")
    if int(source.get("BackupRetentionPeriod") or 0) < 1:
        raise ServiceError(
            "InvalidDBInstanceState",
            f"Automated backups are not enabled for this database instance: {source['DBInstanceIdentifier']}",
        )
    if source.get("StorageEncrypted") and not here and not wanted.get("KmsKeyId"):
        raise ServiceError(
            "InvalidParameterCombination",
            "Cannot create a cross region unencrypted read replica from encrypted source.",
        )
    return {
        **{name: source.get(name) for name in _INHERITED},
        "_MasterUserPassword": source.get("_MasterUserPassword"),
        "StorageEncrypted": source.get("StorageEncrypted", False),
        "ReadReplicaSourceDBInstanceIdentifier": source["DBInstanceIdentifier"] if here else source["DBInstanceArn"],
    }


def _born_again(found: Record, wanted: Mapping[str, Json]) -> Record:
    """From a snapshot: its data, its master and its password, unless CloudFormation gives another."""
    if found["Status"] != "available":
        raise ServiceError("InvalidDBSnapshotState", f"{found['DBSnapshotIdentifier']} is {found['Status']}.")
    given = wanted.get("MasterUserPassword")
    return {
        **{name: found.get(name) for name in _INHERITED},
        "DBInstanceClass": wanted.get("DBInstanceClass") or found.get("DBInstanceClass"),
        "_MasterUserPassword": given or found.get("_MasterUserPassword"),
        "_PasswordVersion": 1 if given else 0,
        "_BornOf": found["DBSnapshotIdentifier"],
        "StorageEncrypted": bool(found.get("StorageEncrypted") or wanted.get("KmsKeyId")),
        "KmsKeyId": wanted.get("KmsKeyId") or found.get("KmsKeyId", ""),
        "ReadReplicaSourceDBInstanceIdentifier": "",
    }


def _settings(id_: str, wanted: Mapping[str, Json]) -> Record:
    region, account = emulator.region(), emulator.account()
    now = emulator.of_service("rds", "_format_time")(time.time())
    group = emulator.store("rds", "_subnet_groups").get(wanted.get("DBSubnetGroupName", ""))
    zones = records.zones_of(group)
    if wanted.get("MultiAZ") and len(zones) < 2:
        raise ServiceError(
            "DBSubnetGroupDoesNotCoverEnoughAZs", "The DB subnet group doesn't meet Availability Zone coverage."
        )
    return {
        **{field: wanted[name] for name, field in records.IN_PLACE.items() if wanted.get(name) is not None},
        "DBInstanceIdentifier": id_,
        "DBInstanceArn": f"arn:aws:rds:{region}:{account}:db:{id_}",
        "DbiResourceId": f"db-{secrets.token_hex(13).upper()}",
        "DBInstanceStatus": "available",
        "DBInstanceClass": wanted.get("DBInstanceClass", "db.t4g.medium"),
        "Engine": wanted.get("Engine", "postgres"),
        "LicenseModel": "postgresql-license",
        "InstanceCreateTime": now,
        "LatestRestorableTime": now,
        "Endpoint": {"Address": endpoint(id_), "Port": int(wanted.get("Port") or 5432), "HostedZoneId": _RDS_ZONE},
        "AvailabilityZone": wanted.get("AvailabilityZone") or (zones[0] if zones else f"{region}a"),
        "MultiAZ": bool(wanted.get("MultiAZ", False)),
        "DBSubnetGroup": group or {"DBSubnetGroupName": "default", "Subnets": [], "VpcId": ""},
        "VpcSecurityGroups": records.security_groups(wanted.get("VPCSecurityGroups")),
        "DBParameterGroups": records.parameter_group(wanted.get("DBParameterGroupName"), "in-sync"),
        "DBSecurityGroups": [],
        "OptionGroupMemberships": [{"OptionGroupName": "default:postgres-17", "Status": "in-sync"}],
        "PendingModifiedValues": {},
        "ReadReplicaDBInstanceIdentifiers": [],
        "KmsKeyId": wanted.get("KmsKeyId", ""),
        "BackupRetentionPeriod": int(wanted.get("BackupRetentionPeriod", 1)),
        "TagList": [],
    }  # fmt: skip


def endpoint(id_: str) -> str:
    """The instance's host name: the same as long as account, region and identifier are."""
    seed = hashlib.sha256(f"{emulator.account()}/{emulator.region()}".encode()).hexdigest()[:12]
    return f"{id_}.c{seed[1:]}.{emulator.region()}.rds.amazonaws.com"
