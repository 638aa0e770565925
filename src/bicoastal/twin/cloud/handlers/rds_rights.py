"""What RDS's actions on snapshots must be allowed to do: each instance, snapshot, subnet group and group on its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bicoastal.twin.cloud import emulator
from bicoastal.twin.cloud.rights import Check, Request, tag_keys

Json = Any
_KINDS = {
    "DBInstanceIdentifier": "db",
    "DBSnapshotIdentifier": "snapshot",
    "SourceDBSnapshotIdentifier": "snapshot",
    "TargetDBSnapshotIdentifier": "snapshot",
    "DBSubnetGroupName": "subgrp",
    "DBParameterGroupName": "pg",
    "OptionGroupName": "og",
}


def _named(*names: str) -> Callable[[Request], Sequence[Check]]:
    def rule(request: Request) -> Sequence[Check]:
        return [_one(request, name, str(request.data[name])) for name in names if request.data.get(name)]

    return rule


def _one(request: Request, name: str, value: str) -> Check:
    arn = value if value.startswith("arn:") else request.arn("rds", f"{_KINDS[name]}:{value}")
    tags = {tag["Key"]: str(tag.get("Value", "")) for tag in emulator.store("rds", "_tags").get(arn) or ()}
    keys: Mapping[str, Json] = {**tag_keys("aws:ResourceTag", tags), **tag_keys("rds:db-tag", tags)}
    return Check(arn, keys)


def _tagged(request: Request) -> Sequence[Check]:
    arn = str(request.data.get("ResourceName") or "*")
    return [_one(request, "DBInstanceIdentifier", arn)] if arn.startswith("arn:") else []


RIGHTS = {
    "rds:CreateDBSnapshot": _named("DBInstanceIdentifier", "DBSnapshotIdentifier"),
    "rds:CopyDBSnapshot": _named("SourceDBSnapshotIdentifier", "TargetDBSnapshotIdentifier"),
    "rds:DeleteDBSnapshot": _named("DBSnapshotIdentifier"),
    "rds:DescribeDBSnapshots": _named("DBSnapshotIdentifier"),
    "rds:RestoreDBInstanceFromDBSnapshot": _named(
        "DBInstanceIdentifier", "DBSnapshotIdentifier", "DBSubnetGroupName", "DBParameterGroupName", "OptionGroupName"
    ),
    "rds:AddTagsToResource": _tagged,
    "rds:RemoveTagsFromResource": _tagged,
    "rds:ListTagsForResource": _tagged,
}
