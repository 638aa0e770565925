"""What RDS's API wants of databases, read from the control plane: a frozen picture of one moment.

One question for each region, which the twin's RDS answers from its records, because what a controller needs is partly
what no API shows (a password), and dozens of calls otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from bicoastal.twin.api import Api

Kind = Literal["instance", "snapshot"]


class Key(NamedTuple):
    """A DB instance or a DB snapshot."""

    kind: Kind
    region: str
    identifier: str

    def __str__(self) -> str:
        """As a status names it."""
        return f"{self.region}/{self.identifier}"


@dataclass(frozen=True)
class Operation:
    """A reboot that was asked for, once."""

    id: str
    failover: bool


@dataclass(frozen=True)
class Wanted:
    """A DB instance."""

    key: Key
    resource_id: str
    status: str
    version: int
    """Of what is asked: the controller says up to which version it is so."""
    zone: str
    secondary: str
    """The standby's zone; empty without one."""
    zones: tuple[str, ...]
    """Of its subnet group."""
    multi_az: bool
    port: int
    address: str
    master: str
    password: str
    password_version: int
    database: str
    source: Key | None
    """What it replicates, and goes on replicating."""
    promoting: bool
    replication: str
    group: str
    group_status: str
    parameters: Mapping[str, Mapping[str, str]]
    """Of every parameter group of the region: after a change of groups the former is in force until a reboot."""
    operation: Operation | None
    born_of: str
    """The snapshot that its data come from; empty for none."""
    exports: tuple[str, ...]
    storage_gib: int
    replicas: Mapping[Key, str]
    """Those that it is the source of, and the slot of each."""
    snapshots: tuple[str, ...]
    """Of it, and not finished."""


@dataclass(frozen=True)
class WantedSnapshot:
    """A DB snapshot."""

    key: Key
    instance: Key
    status: str
    copy_of: Key | None


Desired = Wanted | WantedSnapshot


def read(api: Api) -> dict[Key, Desired]:
    """All that there is in the twin's regions. Raises SystemFault where the control plane does not answer."""
    answers = {region: api.report("rds.desired", region) for region in api.regions}
    snapshots = {
        found.key: found
        for region, answer in answers.items()
        for found in (_snapshot(region, item) for item in answer["snapshots"])
    }
    sources = {
        Key("instance", region, item["identifier"]): _source(item)
        for region, answer in answers.items()
        for item in answer["instances"]
    }
    slots = {
        Key("instance", region, item["identifier"]): slot_name(region, item["resource_id"])
        for region, answer in answers.items()
        for item in answer["instances"]
    }
    found: dict[Key, Desired] = dict(snapshots)
    for region, answer in answers.items():
        for item in answer["instances"]:
            key = Key("instance", region, item["identifier"])
            found[key] = _instance(
                key,
                item,
                source=sources[key],
                parameters=answer["groups"],
                replicas={other: slots[other] for other, source in sources.items() if source == key},
                snapshots=tuple(
                    made.key.identifier
                    for made in snapshots.values()
                    if made.instance == key and made.status == "creating" and made.copy_of is None
                ),
            )
    return found


def slot_name(region: str, resource_id: str) -> str:
    """Of a replica's slot on its source, as RDS names it: the instance kit knows a region's replica by it."""
    return f"rds_{region}_{resource_id}".lower().replace("-", "_")[:63]


def _instance(key: Key, item: Mapping[str, Any], **others: Any) -> Wanted:
    operation = item["operation"]
    return Wanted(
        key=key,
        operation=Operation(operation["id"], bool(operation["failover"])) if operation else None,
        born_of=item["born_of"] or "",
        exports=tuple(item["exports"]),
        zones=tuple(item["zones"]),
        **{
            name: item[name]
            for name in (
                *("resource_id", "status", "version", "zone", "secondary", "multi_az", "port", "address", "master"),
                *("password", "password_version", "database", "promoting", "replication", "group", "group_status"),
                "storage_gib",
            )
        },
        **others,
    )


def _source(item: Mapping[str, Any]) -> Key | None:
    """An ARN as a key; None for what stands alone, or shall."""
    if not item["source"] or item["promoting"]:
        return None
    _, _, _, region, _, _, name = item["source"].split(":", 6)
    return Key("instance", region, name)


def _snapshot(region: str, item: Mapping[str, Any]) -> WantedSnapshot:
    copy_of = item["copy_of"]
    return WantedSnapshot(
        Key("snapshot", region, item["identifier"]),
        Key("instance", region, item["instance"]),
        item["status"],
        Key("snapshot", copy_of[0], copy_of[1]) if copy_of else None,
    )
