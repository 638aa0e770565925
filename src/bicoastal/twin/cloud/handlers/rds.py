"""RDS for PostgreSQL in CloudFormation: instances, replicas across regions, and promotion.

Promotion is what CloudFormation does when `SourceDBInstanceIdentifier` goes away; it is refused where RDS refuses it
(design D2). What is kept here is what the API says; a controller makes databases of it, and stacks wait for that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bicoastal.twin.cloud import emulator, planes
from bicoastal.twin.cloud.handlers import rds_actions, rds_events, rds_reports
from bicoastal.twin.cloud.handlers import rds_records as records
from bicoastal.twin.cloud.handlers.rds_births import create_instance
from bicoastal.twin.cloud.handlers.rds_records import IN_PLACE, Record
from bicoastal.twin.cloud.handlers.rds_snapshots import take_snapshot
from bicoastal.twin.cloud.registry import Made, Refused, ResourceType, Wanted

Json = Any

NAMESPACE = "http://rds.amazonaws.com/doc/2014-10-31/"
STABLE_S = 600.0
"""How long a stack waits for an instance: CloudFormation's own handler waits for hours."""
_FINAL = "-final-snapshot"
_REPLACING = ("AvailabilityZone", "Engine", "DBSnapshotIdentifier", "SourceDBInstanceIdentifier")
"""Of the conditionally create-only properties, those whose change from one value to another replaces the instance."""


class Instance(ResourceType):
    """A DB instance: new, or the replica of another."""

    type = "AWS::RDS::DBInstance"
    plane = records.PLANE

    def create(self, wanted: Wanted) -> Made:
        """Make it, and wait until it is available. Raises ServiceError as RDS does."""
        id_ = wanted.name("DBInstanceIdentifier", lowercase=True, max_len=63)
        record = create_instance(id_, wanted.properties)
        records.put_tags(record, wanted.tags)
        _await_available(record)
        return Made(id_, _attributes(record))

    def update(self, id_: str, was: Wanted, wanted: Wanted) -> Made:
        """Change it, or promote it: never both kinds of change hide in one another."""
        record = records.instance(id_)
        before, after = was.get("SourceDBInstanceIdentifier"), wanted.get("SourceDBInstanceIdentifier")
        for name in _REPLACING:
            old, new = was.get(name), wanted.get(name)
            if new is not None and old != new and not (name == "AvailabilityZone" and old is None):
                raise Refused(
                    "CloudFormation cannot update a stack when a custom-named resource requires replacing. "
                    f"Rename {id_} and update the stack again. ({name} changed)"
                )
        if before and not after:
            records.promote(record)
            _await_available(record)
        self._change(record, was, wanted)
        if record["DBParameterGroups"][0]["ParameterApplyStatus"] == "pending-reboot" and planes.attached(self.plane):
            records.reboot(record, failover=False)
            _await_available(record)
        return Made(id_, _attributes(record))

    def _change(self, record: Record, was: Wanted, wanted: Wanted) -> None:
        acts = was.get("MultiAZ") != wanted.get("MultiAZ") and wanted.get("MultiAZ") is not None
        for name, field in IN_PLACE.items():
            if was.get(name) != wanted.get(name) and wanted.get(name) is not None:
                record[field] = wanted.get(name)
        if was.get("EngineVersion") != wanted.get("EngineVersion") and wanted.get("EngineVersion"):
            record["EngineVersion"] = records.version(str(wanted.get("EngineVersion")))
        if was.get("AllocatedStorage") != wanted.get("AllocatedStorage") and wanted.get("AllocatedStorage"):
            records.grow(record, int(wanted.get("AllocatedStorage")))
        if was.get("VPCSecurityGroups") != wanted.get("VPCSecurityGroups"):
            record["VpcSecurityGroups"] = records.security_groups(wanted.get("VPCSecurityGroups"))
        if was.get("DBParameterGroupName") != wanted.get("DBParameterGroupName"):
            # In force after a reboot: until then RDS shows it so.
            record["DBParameterGroups"] = records.parameter_group(wanted.get("DBParameterGroupName"), "pending-reboot")
        if wanted.get("MasterUserPassword") not in (None, was.get("MasterUserPassword")):
            records.change_password(record, str(wanted.get("MasterUserPassword")))
            acts = True
        record["SecondaryAvailabilityZone"] = records.secondary(record)
        records.put_tags(record, wanted.tags)
        if acts:
            records.begin(record, "modifying")
            _await_available(record)

    def delete(self, id_: str, was: Wanted) -> None:
        """Remove it. RDS refuses it while it is protected, and sets its replicas free."""
        table = emulator.store("rds", "_instances")
        record = table.get(id_)
        if record is not None:
            records.delete_instance(record)
            _await(f"{id_} is deleted", lambda: table.get(id_) is not record)

    def snapshot(self, id_: str, was: Wanted) -> None:
        """A last snapshot; RDS takes none of a replica, whose data is its source's."""
        record = emulator.store("rds", "_instances").get(id_)
        if record is not None and not record.get("ReadReplicaSourceDBInstanceIdentifier"):
            records.refuse_protected(record)
            name = f"{id_}{_FINAL}"
            if name not in emulator.store("rds", "_snapshots"):
                take_snapshot(record, name)


def _await_available(record: Record) -> None:
    """What CloudFormation waits for before it goes on. Raises Refused when it does not come to be."""
    table, id_ = emulator.store("rds", "_instances"), record["DBInstanceIdentifier"]

    def stable() -> bool:
        if table.get(id_) is not record:
            raise Refused(f"{id_} was deleted meanwhile (NotStabilized)")
        return records.status(record) in ("available", "backing-up")

    _await(f"{id_} is available", stable)


def _await(what: str, condition: Callable[[], bool]) -> None:
    if planes.attached(records.PLANE):
        planes.wait_until(what, condition, STABLE_S)


def _attributes(record: Record) -> dict[str, str]:
    return {
        "Endpoint.Address": record["Endpoint"]["Address"],
        "Endpoint.Port": str(record["Endpoint"]["Port"]),
        "Endpoint.HostedZoneId": record["Endpoint"]["HostedZoneId"],
        "DbiResourceId": record["DbiResourceId"],
        "DBInstanceArn": record["DBInstanceArn"],
    }


TYPES = (Instance(), rds_events.EventSubscription())
ACTIONS = {**rds_events.ACTIONS, **rds_actions.ACTIONS}
REPORTS = rds_reports.REPORTS
QUESTIONS = rds_reports.QUESTIONS
complete_answers = rds_actions.complete_answers
