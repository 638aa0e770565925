"""One step of a backup, copy or restore job: begin it by RDS's API as the job's role, or see whether RDS is done.

Steps can be repeated: what a killed twin had begun is there under the job's own name, and is found again.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from bicoastal.aws.faults import ApiFault, aws_faults
from bicoastal.aws.session import Session
from bicoastal.core.errors import SystemFault
from bicoastal.twin.ground import Ground

Json = Any
SERVICE = "backup.amazonaws.com"
ROUNDS_S = 20.0
"""No start window is shorter, however fast the pace: a loaded machine looks at a job that late."""
_GIB = 1 << 30
_SESSION_S = 3_000.0
_NOT_NOW = ("InvalidDBInstanceState", "InvalidDBInstanceStateFault")
_THERE = ("DBSnapshotAlreadyExists", "DBSnapshotAlreadyExistsFault", "DBInstanceAlreadyExists")
_RESTORED = {
    "dbinstanceidentifier": "DBInstanceIdentifier",
    "dbsubnetgroupname": "DBSubnetGroupName",
    "dbinstanceclass": "DBInstanceClass",
    "dbparametergroupname": "DBParameterGroupName",
    "optiongroupname": "OptionGroupName",
    "vpcsecuritygroupids": "VpcSecurityGroupIds",
    "multiaz": "MultiAZ",
    "publiclyaccessible": "PubliclyAccessible",
    "availabilityzone": "AvailabilityZone",
    "port": "Port",
    "autominorversionupgrade": "AutoMinorVersionUpgrade",
    "copytagstosnapshot": "CopyTagsToSnapshot",
    "deletionprotection": "DeletionProtection",
    "storagetype": "StorageType",
}
"""What a restore's metadata may say, in any case of letters, to RDS's parameters."""


class Roles:
    """Sessions of roles that trust AWS Backup, kept for a while."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._lock = threading.Lock()
        self._known: dict[str, tuple[Session, float]] = {}

    def rds(self, role: str, region: str) -> Json:
        """RDS with the rights of a role. Raises SystemFault where it gives none."""
        with self._lock:
            known = self._known.get(role)
            if known is None or time.monotonic() > known[1]:
                credentials = self._ground.api.credentials(role, SERVICE, "AWSBackup")
                known = self._ground.api.session(credentials), time.monotonic() + _SESSION_S
                self._known[role] = known
        return known[0].client("rds", region)


def back_up(ground: Ground, roles: Roles, region: str, job: Mapping[str, Json]) -> None:
    """Begin a DB snapshot, or tell that it is there."""
    name = f"awsbackup:job-{job['_id'].lower()}"
    instance = job["ResourceArn"].rpartition(":")[2]

    def tell(state: str, **more: Json) -> None:
        ground.api.report("backup.job", region, id=job["_id"], state=state, **more)

    try:
        rds = roles.rds(job["IamRoleArn"], region)
        if job["State"] == "CREATED":
            window_s = max(ground.pace.seconds(60.0 * job["_StartMinutes"]), ROUNDS_S)
            if time.time() > job["CreationDate"] + window_s:
                tell("EXPIRED", message="It could not begin in its start window.")
                return
            _begin_snapshot(rds, name, instance, job["_Tags"])
            tell("RUNNING", arn=_arn(job["ResourceArn"], name))
            return
        snapshot = _snapshot(rds, name)
        if snapshot["Status"] == "available":
            metadata = _metadata(rds, instance, snapshot)
            size = int(snapshot["AllocatedStorage"]) * _GIB
            tell("COMPLETED", arn=snapshot["DBSnapshotArn"], metadata=metadata, bytes=size)
        elif snapshot["Status"] != "creating":
            tell("FAILED", message=f"The snapshot {name} is {snapshot['Status']}.")
    except ApiFault as fault:
        if job["State"] != "CREATED" or fault.code not in _NOT_NOW:
            tell("FAILED", message=_said(fault))
    except SystemFault as fault:
        tell("FAILED", message=_said(fault))


def _begin_snapshot(rds: Json, name: str, instance: str, tags: Mapping[str, str]) -> None:
    listed = [{"Key": key, "Value": value} for key, value in tags.items()]
    try:
        with aws_faults(f"backing up {instance}"):
            rds.create_db_snapshot(DBSnapshotIdentifier=name, DBInstanceIdentifier=instance, Tags=listed)
    except ApiFault as fault:
        if fault.code not in _THERE:
            raise


def _snapshot(rds: Json, name: str) -> Json:
    with aws_faults(f"looking at the snapshot {name}"):
        return rds.describe_db_snapshots(DBSnapshotIdentifier=name)["DBSnapshots"][0]


def _metadata(rds: Json, instance: str, snapshot: Json) -> dict[str, str]:
    """What a restore would do alike, as AWS Backup keeps it: all as text."""
    found = {
        "DBInstanceIdentifier": instance,
        "Engine": str(snapshot["Engine"]),
        "EngineVersion": str(snapshot["EngineVersion"]),
        "AllocatedStorage": str(snapshot["AllocatedStorage"]),
    }
    with suppress(ApiFault), aws_faults(f"looking at {instance}"):
        record = rds.describe_db_instances(DBInstanceIdentifier=instance)["DBInstances"][0]
        groups = [group["VpcSecurityGroupId"] for group in record.get("VpcSecurityGroups", [])]
        found |= {
            "DBInstanceClass": record["DBInstanceClass"],
            "MultiAZ": str(record.get("MultiAZ", False)).lower(),
            "PubliclyAccessible": str(record.get("PubliclyAccessible", False)).lower(),
            "Port": str(record.get("Endpoint", {}).get("Port", 5432)),
            "VpcSecurityGroupIds": json.dumps(groups),
        }
        if record.get("DBSubnetGroup"):
            found["DBSubnetGroupName"] = record["DBSubnetGroup"]["DBSubnetGroupName"]
        if record.get("DBParameterGroups"):
            found["DBParameterGroupName"] = record["DBParameterGroups"][0]["DBParameterGroupName"]
    return found


def copy(ground: Ground, roles: Roles, region: str, job: Mapping[str, Json]) -> None:
    """Begin a copy of the snapshot in the vault's region, or tell that it is there."""
    destination = job["DestinationBackupVaultArn"].split(":")[3]
    name = f"awsbackup:copyjob-{job['_id'].lower()}"

    def tell(state: str, **more: Json) -> None:
        ground.api.report("backup.copy", region, id=job["_id"], state=state, **more)

    try:
        rds = roles.rds(job["IamRoleArn"], destination)
        if job["State"] == "CREATED":
            more = {"KmsKeyId": job["_Key"]} if job.get("_Key") else {}
            try:
                with aws_faults(f"copying {job['SourceRecoveryPointArn']} to {destination}"):
                    rds.copy_db_snapshot(
                        SourceDBSnapshotIdentifier=job["SourceRecoveryPointArn"],
                        TargetDBSnapshotIdentifier=name,
                        CopyTags=True,
                        **more,
                    )
            except ApiFault as fault:
                if fault.code not in _THERE:
                    raise
            tell("RUNNING")
            return
        snapshot = _snapshot(rds, name)
        if snapshot["Status"] == "available":
            tell("COMPLETED", arn=snapshot["DBSnapshotArn"])
        elif snapshot["Status"] != "creating":
            tell("FAILED", message=f"The snapshot {name} is {snapshot['Status']}.")
    except SystemFault as fault:
        tell("FAILED", message=_said(fault))


def restore(ground: Ground, roles: Roles, region: str, job: Mapping[str, Json]) -> None:
    """Begin a new DB instance, tell that it is available, or delete it when a test of it is over."""

    def tell(state: str, **more: Json) -> None:
        ground.api.report("backup.restore", region, id=job["_id"], state=state, **more)

    try:
        rds = roles.rds(job["IamRoleArn"], region)
        if job["Status"] == "PENDING":
            request = _request(job["_Metadata"])
            # Said before, so that an instance of that name is known to be this job's if the twin is killed meanwhile.
            tell("PENDING", begun=True)
            name = job["RecoveryPointArn"].partition(":snapshot:")[2]
            try:
                with aws_faults(f"restoring {name}"):
                    rds.restore_db_instance_from_db_snapshot(DBSnapshotIdentifier=name, **request)
            except ApiFault as fault:
                if fault.code not in _THERE or not job.get("_Begun"):
                    raise
            arn = job["RecoveryPointArn"].partition(":snapshot:")[0] + f":db:{request['DBInstanceIdentifier']}"
            tell("RUNNING", arn=arn)
        elif job["Status"] == "RUNNING":
            instance = job["CreatedResourceArn"].rpartition(":")[2]
            with aws_faults(f"looking at {instance}"):
                found = rds.describe_db_instances(DBInstanceIdentifier=instance)["DBInstances"][0]
            if found["DBInstanceStatus"] == "available":
                tell("COMPLETED")
            elif found["DBInstanceStatus"] in ("failed", "deleting", "incompatible-restore"):
                tell("FAILED", message=f"{instance} is {found['DBInstanceStatus']}.")
        elif job.get("_DeleteAfter"):
            _end_test(ground, rds, region, job)
    except SystemFault as fault:
        if job["Status"] in ("PENDING", "RUNNING"):
            tell("FAILED", message=_said(fault))
        else:
            raise


def _end_test(ground: Ground, rds: Json, region: str, job: Mapping[str, Json]) -> None:
    """The restored database has stood for as long as the plan wants it to be looked at."""
    if time.time() < float(job["CompletionDate"]) + ground.pace.seconds(float(job["_DeleteAfter"])):
        return
    if job.get("CreatedResourceArn"):
        instance = job["CreatedResourceArn"].rpartition(":")[2]
        try:
            with aws_faults(f"deleting {instance} after its test"):
                rds.delete_db_instance(DBInstanceIdentifier=instance, SkipFinalSnapshot=True)
        except ApiFault as fault:
            if "NotFound" not in fault.code:
                raise
    ground.api.report("backup.restore", region, id=job["_id"], state=job["Status"], deleted=True)


def _request(metadata: Mapping[str, str]) -> dict[str, Json]:
    request: dict[str, Json] = {}
    for name, value in metadata.items():
        known = _RESTORED.get(name.lower())
        if known is None or value == "":
            continue
        if known == "VpcSecurityGroupIds":
            request[known] = json.loads(value) if value.startswith("[") else value.split(",")
        elif known == "Port":
            request[known] = int(value)
        else:
            request[known] = value.lower() == "true" if value.lower() in ("true", "false") else value
    return request


def _arn(resource: str, snapshot: str) -> str:
    return resource.partition(":db:")[0] + f":snapshot:{snapshot}"


def _said(fault: Exception) -> str:
    return str(fault).partition("\n    -> ")[0]
