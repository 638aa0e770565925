"""What a change of each field of the spec touches: these stacks, no others, and only the ids that it is about.

A logical id that changes is a resource that is deleted and made anew: this page is the promise that editing a threshold
never touches the database.
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
from pydantic import BaseModel

from bicoastal.blueprint.stacks import compose
from bicoastal.spec.load import loads
from bicoastal.spec.model import Region, Spec

BASE: dict[str, Any] = {
    "name": "orders",
    "cost_center": "4711",
    "domain": "orders.example.com",
    "app": {"command": "serve"},
    "regions": {
        "us-east-1": {"role": "home", "cidr": "10.10.0.0/16"},
        "us-west-2": {"role": "standby", "cidr": "10.20.0.0/16"},
    },
}
WEST = "regions.us-west-2."
EVERY = "every stack"
TAGGED = "every stack that holds something that takes tags"


@dataclass(frozen=True)
class Change:
    """A field's new value; the stacks that it changes, and the stacks whose resources come or go."""

    value: Any
    stacks: str = ""
    """Kinds of stack, separated by spaces; or EVERY, or TAGGED."""
    come_or_go: str = ""


CHANGES = {
    "name": Change("shop", EVERY),
    "environment": Change("staging", EVERY),
    "cost_center": Change("4712", TAGGED),
    "domain.name": Change("shop.example.com", "access names service zone bootstrap"),
    "domain.zone_id": Change("Z0123456789ABCDEFGHIJ", "names service zone", "zone"),
    "app.folder": Change("web"),
    "app.command": Change("run", "service"),
    "app.build": Change("sh build.sh"),
    "app.port": Change(9000, "network service bootstrap"),
    "app.health_path": Change("/up", "checks service bootstrap"),
    "app.packages": Change(["git"], "service bootstrap"),
    "app.environment": Change({"A": "b"}, "service bootstrap"),
    "app.secrets": Change(["TOKEN"], "access secrets service bootstrap", "secrets"),
    "app.release_command": Change("migrate", "bootstrap"),
    "app.watch_minutes": Change(30),
    WEST + "role": Change(None),
    WEST + "cidr": Change("10.30.0.0/16", "network"),
    WEST + "availability_zones": Change(2, "network peering"),
    WEST + "scaling.requests_per_minute": Change(500, "service"),
    WEST + "scaling.cpu_percent": Change(50, "service"),
    WEST + "scaling.memory_percent": Change(60, "service"),
    WEST + "at_capacity.requests_per_minute": Change(2000, "service"),
    WEST + "backup.start": Change("02:00", "backup"),
    WEST + "backup.time_zone": Change("Europe/Berlin", "backup"),
    WEST + "backup.keep_days": Change(40, "backup vault"),
    WEST + "database_backup_window": Change("12:00-12:30", "database"),
    WEST + "maintenance_window": Change("mon:13:00-mon:13:30", "database"),
    "instances.type": Change("t3.small", "network service bootstrap"),
    "instances.min": Change(3, "service"),
    "instances.max": Change(7, "monitoring service"),
    "database.engine_version": Change("16", "database"),
    "database.instance_class": Change("db.t4g.large", "database"),
    "database.storage_gib": Change(60, "database"),
    "database.max_storage_gib": Change(300, "database"),
    "database.automated_backup_days": Change(2, "database"),
    "database.read_replicas": Change(1, "access database", "database"),
    "database.name": Change("main", "database service bootstrap"),
    "routing": Change("failover", "checks names", "checks names"),
    "residency.copies": Change(["us-west-2"]),
    "residency.flows": Change([], "peering service", "peering"),
    "logs.retention_days": Change(14, "access database foundation network service"),
    "logs.aggregate": Change(True, "access aggregation database network service", "aggregation"),
    "egress": Change("one-nat", "network", "network"),
    "emergency.responders": Change(["arn:aws:iam::111122223333:role/on-call"], "access"),
    "emergency.max_minutes": Change(30, "access"),
    "alerts": Change(["ops@example.com"], "foundation", "foundation"),
    "tags": Change({"team": "web"}, TAGGED),
    "failover_tags": Change({"state": "failover"}, "access", "access"),
    "promise.rto_minutes": Change(20),
    "review.fail_on": Change(["row"]),
    "review.baseline": Change("known.json"),
    "review.schema_pass": Change(False),
    "promise.rpo_seconds": Change(30, "monitoring"),
}


def leaves(model: type[BaseModel], prefix: str = "") -> list[str]:
    """Every field of the model that holds a value and not further fields."""
    found = []
    for name, field in model.model_fields.items():
        annotation = field.annotation
        if model is Spec and name == "regions":
            found += leaves(Region, WEST)
        elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
            found += leaves(annotation, f"{prefix}{name}.")
        else:
            found.append(prefix + name)
    return found


@cache
def built(spec: str) -> dict[str, tuple[str, str, frozenset[str]]]:
    """Kind of stack to its template, its parameters' sources in both regions, and its logical ids."""
    return {
        stack.kind: (stack.to_yaml(), repr(stack.sources), frozenset(stack.resource_types))
        for stack in compose(loads(spec)).stacks
    }


def changed(path: str, value: Any) -> str:
    """The base spec with one field changed."""
    data = copy.deepcopy(BASE)
    *parents, last = path.split(".")
    if parents[:1] == ["domain"]:
        data["domain"] = {"name": data["domain"]}
    node = data
    for step in parents:
        node = node.setdefault(step, {})
    node[last] = value
    return json.dumps(data)


def test_no_field_is_forgotten() -> None:
    assert sorted(CHANGES) == sorted(leaves(Spec))


@pytest.mark.parametrize("path", [path for path in CHANGES if CHANGES[path].value is not None])
def test_a_change_touches_what_it_is_about_and_nothing_else(path: str) -> None:
    before, after = built(json.dumps(BASE)), built(changed(path, CHANGES[path].value))
    kinds = sorted(before | after)
    touched = {kind for kind in kinds if before.get(kind, ("", "", None))[:2] != after.get(kind, ("", "", None))[:2]}
    moved = {
        kind
        for kind in kinds
        if before.get(kind, ("", "", frozenset()))[2] != after.get(kind, ("", "", frozenset()))[2]
    }
    expected = CHANGES[path]
    assert moved == set(expected.come_or_go.split())
    if expected.stacks == EVERY:
        assert touched == set(kinds)
    elif expected.stacks == TAGGED:
        assert touched == {
            kind for kind in kinds if "Key: managed-by" in before[kind][0] or "managed-by:" in before[kind][0]
        }
    else:
        assert touched == set(expected.stacks.split())
