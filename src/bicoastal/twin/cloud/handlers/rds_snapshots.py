"""DB snapshots as RDS remembers them: begun by an action or a deletion policy, there once a controller has the data."""

from __future__ import annotations

import re
from typing import Any

from bicoastal.twin.cloud import emulator, planes
from bicoastal.twin.cloud.changes import CHANGES
from bicoastal.twin.cloud.handlers import rds_records as records
from bicoastal.twin.cloud.handlers.rds_records import Record
from bicoastal.twin.cloud.registry import ServiceError

Json = Any


def snapshot(id_: str) -> Record:
    """A snapshot of this region by identifier, or of any by ARN. Raises ServiceError where it is not there."""
    if id_.startswith("arn:"):
        _, _, _, region, _, _, name = id_.split(":", 6)
        with emulator.in_region(region):
            found = emulator.store("rds", "_snapshots").get(name)
    else:
        found = emulator.store("rds", "_snapshots").get(id_)
    if found is None:
        raise ServiceError("DBSnapshotNotFound", f"DBSnapshot {id_} not found.", 404)
    record: Record = found
    return record


def check_new(id_: str) -> None:
    """Raise ServiceError for an identifier that cannot be one, or is another's. RDS and AWS Backup write colons."""
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9:-]{0,254}", id_):
        raise ServiceError("InvalidParameterValue", f"DBSnapshotIdentifier {id_!r} is not a valid identifier.")
    if id_ in emulator.store("rds", "_snapshots"):
        raise ServiceError("DBSnapshotAlreadyExists", f"Cannot create the snapshot: {id_} already exists.")


def take_snapshot(record: Record, id_: str) -> Record:
    """Begin one: it is `creating`, and the instance `backing-up`, until its data are kept."""
    check_new(id_)
    made: Record = emulator.of_service("rds", "_create_snapshot_internal")(id_, record)
    made["_MasterUserPassword"] = record.get("_MasterUserPassword")
    if planes.attached(records.PLANE):
        made.update({"Status": "creating", "PercentProgress": 0})
        if records.status(record) == "available":
            records.put_status(record, "backing-up")
        CHANGES.bump()
    return made
