"""Single changes and looks of a restore, each of which may be repeated: AWS Backup's job, and the instance it makes.

Never the live database: every call names an instance that begins with `PREFIX-restored-`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bicoastal.aws.faults import ApiFault, aws_faults
from bicoastal.aws.session import Session
from bicoastal.core.errors import Refused
from bicoastal.operate.backups import Point
from bicoastal.operate.subject import Subject
from bicoastal.stacks.view import StackView, view

LIVE = ("PENDING", "CREATED", "RUNNING")
"""A restore job that is not over."""
_SUBNETS, _PARAMETERS = "RestoreSubnets", "DatabaseParameters"
"""Logical ids of the stacks `backup` and `database`: a test holds the templates to them."""


@dataclass(frozen=True)
class Restored:
    """The new instance as RDS describes it."""

    identifier: str
    arn: str
    status: str
    host: str
    port: int
    storage_gib: int | None
    encrypted: bool
    key: str
    """ARN of the KMS key."""


@dataclass(frozen=True)
class Job:
    """AWS Backup's restore job."""

    id: str
    state: str
    why: str = ""


@dataclass(frozen=True)
class Place:
    """Where, and as what, a database of this deployment stands in a region."""

    role: str
    """ARN of the role that AWS Backup restores as."""
    subnets: str
    group: str
    """Security group: servers of the fleet may connect."""
    parameters: str
    tags: Mapping[str, str]


def identifier(subject: Subject, point: Point) -> str:
    """The instance that a recovery point becomes: always the same one, so that an interrupted restore is found."""
    mark = hashlib.sha256(point.arn.encode()).hexdigest()[:6]
    return f"{subject.prefix}-restored-{point.taken:%Y%m%d-%H%M}-{mark}"


def instance(session: Session, name: str, region: str) -> Restored | None:
    """The instance of that name; None where there is none. Raises SystemFault."""
    try:
        with aws_faults(f"describing the database {name} in {region}"):
            (found,) = session.client("rds", region).describe_db_instances(DBInstanceIdentifier=name)["DBInstances"]
    except ApiFault as fault:
        if fault.code in ("DBInstanceNotFound", "DBInstanceNotFoundFault"):
            return None
        raise
    at = found.get("Endpoint") or {}
    return Restored(
        identifier=name,
        arn=found["DBInstanceArn"],
        status=found["DBInstanceStatus"],
        host=at.get("Address", ""),
        port=int(at.get("Port") or 5432),
        storage_gib=found.get("AllocatedStorage"),
        encrypted=bool(found.get("StorageEncrypted")),
        key=found.get("KmsKeyId", ""),
    )


def job(session: Session, point: Point, name: str) -> Job | None:
    """The newest job that makes, or made, this instance of this recovery point. Raises SystemFault."""
    client = session.client("backup", point.region)
    with aws_faults(f"reading the restore jobs in {point.region}"):
        found = [
            item
            for page in client.get_paginator("list_restore_jobs").paginate()
            for item in page["RestoreJobs"]
            if item.get("RecoveryPointArn") == point.arn
        ]
        for item in sorted(found, key=lambda item: item["CreationDate"], reverse=True):
            made = str(item.get("CreatedResourceArn") or "").rpartition(":")[2]
            if made == name or (not made and _wanted(client, item["RestoreJobId"]) == name):
                return Job(item["RestoreJobId"], item["Status"], item.get("StatusMessage", ""))
    return None


def _wanted(client: Any, id_: str) -> str:
    """The name that a job was told, while it has made nothing."""
    told = client.get_restore_job_metadata(RestoreJobId=id_)["Metadata"]
    return next((str(value) for key, value in told.items() if key.lower() == "dbinstanceidentifier"), "")


def place(session: Session, subject: Subject, region: str) -> Place:
    """Taken from the stacks and not from the live instance: that may be what was lost. Raises Refused, SystemFault."""
    backup, database = _stack(session, subject, "backup", region), _stack(session, subject, "database", region)
    network = _stack(session, subject, "network", region)
    return Place(
        role=backup.outputs["RestoreRoleArn"],
        subnets=_resource(session, backup, _SUBNETS),
        group=network.outputs["DatabaseGroup"],
        parameters=_resource(session, database, _PARAMETERS),
        tags=database.tags,
    )


def _stack(session: Session, subject: Subject, kind: str, region: str) -> StackView:
    found = view(session, subject.stack(kind), region)
    if found is None or not found.exists:
        raise Refused(f"{subject.stack(kind)} does not stand in {region}.\n    -> `bicoastal deploy` makes it.")
    return found


def _resource(session: Session, stack: StackView, logical_id: str) -> str:
    with aws_faults(f"finding {logical_id} of {stack.name} in {stack.region}"):
        answer = session.client("cloudformation", stack.region).describe_stack_resources(
            StackName=stack.name, LogicalResourceId=logical_id
        )
    return str(answer["StackResources"][0]["PhysicalResourceId"])


def begin(session: Session, point: Point, name: str, where: Place) -> str:
    """Start the job; returns its id. Raises SystemFault."""
    client = session.client("backup", point.region)
    with aws_faults(f"reading how {point.id} is restored"):
        told = client.get_recovery_point_restore_metadata(BackupVaultName=point.vault, RecoveryPointArn=point.arn)[
            "RestoreMetadata"
        ]
    with aws_faults(f"restoring {point.id} in {point.region}"):
        return str(
            client.start_restore_job(
                RecoveryPointArn=point.arn,
                Metadata=metadata(told, name, where),
                IamRoleArn=where.role,
                ResourceType="RDS",
            )["RestoreJobId"]
        )


def metadata(told: Mapping[str, str], name: str, where: Place) -> dict[str, str]:
    """What the recovery point remembers, with this region's surroundings: a copy remembers its original's.

    Keys keep the spelling that AWS Backup gave them.
    """
    wanted = {
        "DBInstanceIdentifier": name,
        "DBSubnetGroupName": where.subnets,
        "VpcSecurityGroupIds": f'["{where.group}"]',
        "DBParameterGroupName": where.parameters,
        "PubliclyAccessible": "false",
        "MultiAZ": "false",
        "DeletionProtection": "false",
    }
    left_out = {"availabilityzone", *(key.lower() for key in wanted)}
    spelling = {key.lower(): key for key in told}
    kept = {key: value for key, value in told.items() if key.lower() not in left_out}
    return kept | {spelling.get(key.lower(), key): value for key, value in wanted.items()}


def tag(session: Session, made: Restored, region: str, tags: Mapping[str, str]) -> None:
    """What the rest of the deployment bears, and that customers' data are in it. Raises SystemFault."""
    with aws_faults(f"tagging {made.identifier} in {region}"):
        session.client("rds", region).add_tags_to_resource(
            ResourceName=made.arn, Tags=[{"Key": key, "Value": value} for key, value in tags.items()]
        )


def delete(session: Session, name: str, region: str) -> None:
    """Begin its deletion, without a last snapshot: its recovery point stays. Raises SystemFault."""
    try:
        with aws_faults(f"deleting {name} in {region}"):
            session.client("rds", region).delete_db_instance(
                DBInstanceIdentifier=name, SkipFinalSnapshot=True, DeleteAutomatedBackups=True
            )
    except ApiFault as fault:
        if not fault.code.startswith(("DBInstanceNotFound", "InvalidDBInstanceState")):
            raise
