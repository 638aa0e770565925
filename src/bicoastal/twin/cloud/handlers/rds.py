"""RDS for PostgreSQL: instances, replicas across regions, promotion, and event subscriptions.

Promotion is what CloudFormation does when `SourceDBInstanceIdentifier` goes away; it is refused where RDS refuses it
(design D2). What is kept here is what the API says; a controller makes databases of it.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Mapping
from typing import Any

from bicoastal.twin.cloud import emulator
from bicoastal.twin.cloud.answers import Items, Raw
from bicoastal.twin.cloud.registry import Made, Refused, ResourceType, ServiceError, Wanted

Json = Any
Record = dict[str, Json]

NAMESPACE = "http://rds.amazonaws.com/doc/2014-10-31/"
DEFAULT_MINOR = {"14": "14.19", "15": "15.14", "16": "16.10", "17": "17.6"}
"""The minor version that RDS takes for a major one alone; of autumn 2025."""
_FINAL = "-final-snapshot"
_RDS_ZONE = "Z2R2ITUGPM61AM"

_IN_PLACE = {
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
"""Template property to the record's field, for what a stack update changes in place."""
_INHERITED = ("Engine", "EngineVersion", "MasterUsername", "DBName", "AllocatedStorage", "LicenseModel")
"""What a replica has from its source."""
_REPLACING = ("AvailabilityZone", "Engine", "DBSnapshotIdentifier", "SourceDBInstanceIdentifier")
"""Of the conditionally create-only properties, those whose change from one value to another replaces the instance."""


class Instance(ResourceType):
    """A DB instance: new, or the replica of another."""

    type = "AWS::RDS::DBInstance"

    def create(self, wanted: Wanted) -> Made:
        """Make it. Raises ServiceError as RDS does."""
        id_ = wanted.name("DBInstanceIdentifier", lowercase=True, max_len=63)
        record = create_instance(id_, wanted.properties)
        _put_tags(record, wanted.tags)
        return Made(id_, _attributes(record))

    def update(self, id_: str, was: Wanted, wanted: Wanted) -> Made:
        """Change it, or promote it: never both kinds of change hide in one another."""
        record = instance(id_)
        before, after = was.get("SourceDBInstanceIdentifier"), wanted.get("SourceDBInstanceIdentifier")
        for name in _REPLACING:
            old, new = was.get(name), wanted.get(name)
            if new is not None and old != new and not (name == "AvailabilityZone" and old is None):
                raise Refused(
                    "CloudFormation cannot update a stack when a custom-named resource requires replacing. "
                    f"Rename {id_} and update the stack again. ({name} changed)"
                )
        if before and not after:
            promote(record)
        self._change(record, was, wanted)
        return Made(id_, _attributes(record))

    def _change(self, record: Record, was: Wanted, wanted: Wanted) -> None:
        for name, field in _IN_PLACE.items():
            if was.get(name) != wanted.get(name) and wanted.get(name) is not None:
                record[field] = wanted.get(name)
        if was.get("EngineVersion") != wanted.get("EngineVersion") and wanted.get("EngineVersion"):
            record["EngineVersion"] = _version(str(wanted.get("EngineVersion")))
        if was.get("AllocatedStorage") != wanted.get("AllocatedStorage") and wanted.get("AllocatedStorage"):
            _grow(record, int(wanted.get("AllocatedStorage")))
        if was.get("VPCSecurityGroups") != wanted.get("VPCSecurityGroups"):
            record["VpcSecurityGroups"] = _groups(wanted.get("VPCSecurityGroups"))
        if was.get("DBParameterGroupName") != wanted.get("DBParameterGroupName"):
            # In force after a reboot: until then RDS shows it so.
            record["DBParameterGroups"] = _parameter_group(wanted.get("DBParameterGroupName"), "pending-reboot")
        if wanted.get("MasterUserPassword") not in (None, was.get("MasterUserPassword")):
            record["_MasterUserPassword"] = wanted.get("MasterUserPassword")
        record["SecondaryAvailabilityZone"] = _secondary(record)
        _put_tags(record, wanted.tags)

    def delete(self, id_: str, was: Wanted) -> None:
        """Remove it. RDS refuses it while it is protected, and sets its replicas free."""
        record = emulator.store("rds", "_instances").get(id_)
        if record is not None:
            _refuse_protected(record)
            _free_replicas(record)
            _forget_source(record)
            del emulator.store("rds", "_instances")[id_]

    def snapshot(self, id_: str, was: Wanted) -> None:
        """A last snapshot; RDS takes none of a replica, whose data is its source's."""
        record = emulator.store("rds", "_instances").get(id_)
        if record is not None and not record.get("ReadReplicaSourceDBInstanceIdentifier"):
            _refuse_protected(record)
            emulator.of_service("rds", "_create_snapshot_internal")(f"{id_}{_FINAL}", record)


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


def create_instance(id_: str, wanted: Mapping[str, Json]) -> Record:
    """Make an instance or a replica. Raises ServiceError as RDS does."""
    table = emulator.store("rds", "_instances")
    if id_ in table:
        raise ServiceError("DBInstanceAlreadyExists", f"DB instance {id_} already exists")
    source = instance(wanted["SourceDBInstanceIdentifier"]) if wanted.get("SourceDBInstanceIdentifier") else None
    record = _settings(id_, wanted)
    if source is None:
        record.update(_born_new(wanted))
    else:
        record.update(_born_of(source, wanted))
    record["SecondaryAvailabilityZone"] = _secondary(record)
    table[id_] = record
    if source is not None:
        replicas = source.setdefault("ReadReplicaDBInstanceIdentifiers", [])
        replicas.append(_name_from(source, record))
    return record


def _born_new(wanted: Mapping[str, Json]) -> Record:
    for name in ("Engine", "MasterUsername", "AllocatedStorage", "DBInstanceClass"):
        if not wanted.get(name) and not wanted.get("DBSnapshotIdentifier"):
            raise ServiceError("InvalidParameterValue", f"The parameter {name} must be provided and must not be blank.")
    password = str(wanted.get("MasterUserPassword") or "")
    if not wanted.get("ManageMasterUserPassword") and (len(password) < 8 or set('/"@ ') & set(password)):
        raise ServiceError("InvalidParameterValue", "The parameter MasterUserPassword is not a valid password.")
    if wanted.get("DeletionProtection") and not wanted.get("DBSubnetGroupName"):
        raise ServiceError("InvalidSubnet", "No default subnet group: name one.")
    return {
        "MasterUsername": wanted["MasterUsername"],
        "_MasterUserPassword": password,
        "DBName": wanted.get("DBName", ""),
        "AllocatedStorage": int(wanted["AllocatedStorage"]),
        "StorageEncrypted": bool(wanted.get("StorageEncrypted", False)),
        "EngineVersion": _version(str(wanted.get("EngineVersion") or "17")),
        "ReadReplicaSourceDBInstanceIdentifier": "",
    }


def _born_of(source: Record, wanted: Mapping[str, Json]) -> Record:
    """A replica. Across regions an encrypted source needs a key of the replica's own region."""
    here = source["DBInstanceArn"].split(":")[3] == emulator.region()
    if source["DBInstanceStatus"] not in ("available", "backing-up"):
        raise ServiceError("InvalidDBInstanceState", f"{source['DBInstanceIdentifier']} is not in available state.")
    if int(source.get("BackupRetentionPeriod") or 0) < 1:
        raise ServiceError(
            "InvalidDBInstanceState",
            f"Automated backups are not enabled for this database instance: {source['DBInstanceIdentifier']}",
        )
    if source.get("StorageEncrypted") and not here and not wanted.get("KmsKeyId"):
        raise ServiceError(
            "InvalidParameterCombination",
            "KMS key is required to create an encrypted read replica in another region.",
        )
    return {
        **{name: source.get(name) for name in _INHERITED},
        "_MasterUserPassword": source.get("_MasterUserPassword"),
        "StorageEncrypted": source.get("StorageEncrypted", False),
        "ReadReplicaSourceDBInstanceIdentifier": source["DBInstanceIdentifier"] if here else source["DBInstanceArn"],
    }


def _settings(id_: str, wanted: Mapping[str, Json]) -> Record:
    region, account = emulator.region(), emulator.account()
    now = emulator.of_service("rds", "_format_time")(time.time())
    group = emulator.store("rds", "_subnet_groups").get(wanted.get("DBSubnetGroupName", ""))
    zones = _zones(group)
    if wanted.get("MultiAZ") and len(zones) < 2:
        raise ServiceError(
            "DBSubnetGroupDoesNotCoverEnoughAZs", "The DB subnet group doesn't meet Availability Zone coverage."
        )
    return {
        **{field: wanted[name] for name, field in _IN_PLACE.items() if wanted.get(name) is not None},
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
        "VpcSecurityGroups": _groups(wanted.get("VPCSecurityGroups")),
        "DBParameterGroups": _parameter_group(wanted.get("DBParameterGroupName"), "in-sync"),
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


def promote(record: Record) -> None:
    """PromoteReadReplica: it stands alone from now on. Raises ServiceError for what cannot be promoted."""
    name = record["DBInstanceIdentifier"]
    if not record.get("ReadReplicaSourceDBInstanceIdentifier"):
        raise ServiceError("InvalidDBInstanceState", f"DB Instance {name} is not a read replica.")
    if record["DBInstanceStatus"] != "available":
        raise ServiceError(
            "InvalidDBInstanceState", f"DB Instance {name} is {record['DBInstanceStatus']}, and not available."
        )
    _forget_source(record)
    record["ReadReplicaSourceDBInstanceIdentifier"] = ""


def _forget_source(record: Record) -> None:
    try:
        source = instance(record.get("ReadReplicaSourceDBInstanceIdentifier") or "")
    except ServiceError:
        return
    name = _name_from(source, record)
    source["ReadReplicaDBInstanceIdentifiers"] = [
        replica for replica in source["ReadReplicaDBInstanceIdentifiers"] if replica != name
    ]


def _free_replicas(record: Record) -> None:
    """Replicas of a source that is deleted become instances of their own."""
    for name in record.get("ReadReplicaDBInstanceIdentifiers", ()):
        try:
            instance(name)["ReadReplicaSourceDBInstanceIdentifier"] = ""
        except ServiceError:
            continue


def _name_from(source: Record, replica: Record) -> str:
    """How the source names the replica: by ARN across regions."""
    same = source["DBInstanceArn"].split(":")[3] == replica["DBInstanceArn"].split(":")[3]
    return str(replica["DBInstanceIdentifier"] if same else replica["DBInstanceArn"])


def _refuse_protected(record: Record) -> None:
    if record.get("DeletionProtection"):
        raise ServiceError(
            "InvalidParameterCombination",
            "Cannot delete protected DB Instance, please disable deletion protection and try again.",
        )


def _grow(record: Record, size: int) -> None:
    if size < record["AllocatedStorage"]:
        raise ServiceError("InvalidParameterCombination", "Requested storage must not be below the allocated one.")
    record["AllocatedStorage"] = size


def _version(given: str) -> str:
    major, dot, _ = given.partition(".")
    if major not in DEFAULT_MINOR:
        raise ServiceError("InvalidParameterCombination", f"Cannot find version {given} for postgres")
    return given if dot else DEFAULT_MINOR[major]


def _zones(group: Record | None) -> list[str]:
    subnets = emulator.store("ec2", "_subnets")
    ids = [item["SubnetIdentifier"] for item in (group or {}).get("Subnets", ())]
    return sorted({subnets[id_]["AvailabilityZone"] for id_ in ids if id_ in subnets})


def _secondary(record: Record) -> str | None:
    """Where the standby of a Multi-AZ instance is: in another zone of the subnet group."""
    if not record.get("MultiAZ"):
        return None
    return next((zone for zone in _zones(record["DBSubnetGroup"]) if zone != record["AvailabilityZone"]), None)


def _groups(ids: Json) -> list[Json]:
    return [{"VpcSecurityGroupId": id_, "Status": "active"} for id_ in ids or ()]


def _parameter_group(name: str | None, status: str) -> list[Json]:
    return [{"DBParameterGroupName": name or "default.postgres17", "ParameterApplyStatus": status}]


def _put_tags(record: Record, tags: Mapping[str, str]) -> None:
    listed = [{"Key": key, "Value": value} for key, value in tags.items()]
    record["TagList"] = listed
    emulator.store("rds", "_tags")[record["DBInstanceArn"]] = listed


def _attributes(record: Record) -> dict[str, str]:
    return {
        "Endpoint.Address": record["Endpoint"]["Address"],
        "Endpoint.Port": str(record["Endpoint"]["Port"]),
        "Endpoint.HostedZoneId": record["Endpoint"]["HostedZoneId"],
        "DbiResourceId": record["DbiResourceId"],
        "DBInstanceArn": record["DBInstanceArn"],
    }


class EventSubscription(ResourceType):
    """Events of sources, to a topic."""

    type = "AWS::RDS::EventSubscription"

    def create(self, wanted: Wanted) -> Made:
        """Subscribe. RDS refuses sources that are not there, and categories that the source type does not have."""
        name = wanted.name("SubscriptionName", lowercase=True, max_len=255)
        if name in SUBSCRIPTIONS:
            raise ServiceError("SubscriptionAlreadyExist", f"Subscription {name} already exists.")
        self._put(name, wanted)
        return Made(name)

    def update(self, id_: str, was: Wanted, wanted: Wanted) -> Made:
        """Sources, categories and topic change."""
        self._put(id_, wanted)
        return Made(id_)

    def delete(self, id_: str, was: Wanted) -> None:
        """End it."""
        SUBSCRIPTIONS.pop(id_, None)

    def _put(self, name: str, wanted: Wanted) -> None:
        kind = wanted.get("SourceType")
        sources = wanted.get("SourceIds") or []
        if sources and not kind:
            raise ServiceError("InvalidParameterCombination", "SourceType is required with SourceIds.")
        if kind == "db-instance":
            for source in sources:
                if source not in emulator.store("rds", "_instances"):
                    raise ServiceError("SourceNotFound", f"Source {source} not found.", 404)
        SUBSCRIPTIONS[name] = {
            "CustSubscriptionId": name,
            "CustomerAwsId": emulator.account(),
            "SnsTopicArn": wanted.get("SnsTopicArn"),
            "Status": "active",
            "SourceType": kind,
            "SourceIdsList": list(sources),
            "EventCategoriesList": list(wanted.get("EventCategories") or ()),
            "Enabled": wanted.get("Enabled", True),
            "EventSubscriptionArn": f"arn:aws:rds:{emulator.region()}:{emulator.account()}:es:{name}",
        }


def _describe_subscriptions(request: Mapping[str, Json]) -> Mapping[str, Json]:
    name = request.get("SubscriptionName")
    if name and name not in SUBSCRIPTIONS:
        raise ServiceError("SubscriptionNotFound", f"Subscription {name} not found.", 404)
    found = [record for key, record in SUBSCRIPTIONS.items() if name in (None, key)]
    return {"EventSubscriptionsList": Items("EventSubscription", [_subscription_answer(record) for record in found])}


def _subscription_answer(record: Record) -> Record:
    return {
        **record,
        "SourceIdsList": Items("SourceId", record["SourceIdsList"]),
        "EventCategoriesList": Items("EventCategory", record["EventCategoriesList"]),
    }


def _promote_action(request: Mapping[str, Json]) -> Mapping[str, Json]:
    record = instance(request["DBInstanceIdentifier"])
    promote(record)
    if request.get("BackupRetentionPeriod"):
        record["BackupRetentionPeriod"] = int(request["BackupRetentionPeriod"])
    return {"DBInstance": Raw(emulator.of_service("rds", "_instance_xml")(record))}


def complete_answers() -> None:
    """Put into DescribeDBInstances what ministack leaves empty."""
    inner = emulator.of_service("rds", "_instance_xml")

    def instance_xml(record: Record) -> str:
        text = str(inner(record))
        exports = "".join(f"<member>{name}</member>" for name in record.get("EnabledCloudwatchLogsExports") or ())
        text = text.replace(
            "<EnabledCloudwatchLogsExports/>",
            f"<EnabledCloudwatchLogsExports>{exports}</EnabledCloudwatchLogsExports>"
            + _optional(record, "SecondaryAvailabilityZone")
            + _optional(record, "PerformanceInsightsKMSKeyId")
            + _optional(record, "DatabaseInsightsMode"),
        )
        # RDS leaves out what is not there; an empty text would read as a source without a name.
        return text.replace("<ReadReplicaSourceDBInstanceIdentifier></ReadReplicaSourceDBInstanceIdentifier>", "")

    emulator.replace_in_service("rds", "_instance_xml", instance_xml)


def _optional(record: Record, name: str) -> str:
    return f"<{name}>{record[name]}</{name}>" if record.get(name) else ""


SUBSCRIPTIONS = emulator.new_table("rds_event_subscriptions")
TYPES = (Instance(), EventSubscription())
ACTIONS = {"DescribeEventSubscriptions": _describe_subscriptions, "PromoteReadReplica": _promote_action}
