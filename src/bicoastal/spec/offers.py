"""What AWS offers where: regions, instance types, RDS classes and PostgreSQL versions, from dated lists in the package.

The lists age: each says its source and date, and messages name that date. A region that a list does not cover is
unknown, not empty. `bench/reference_data.py` writes them anew. Nothing here calls AWS.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any, Literal, Protocol

_FOLDER = Path(__file__).parent / "data"
_GIB_PER_VCPU = {"c": 2, "m": 4, "r": 8}
_BURSTABLE_GIB = {"nano": 0.5, "micro": 1.0, "small": 2.0, "medium": 4.0, "large": 8.0, "xlarge": 16.0, "2xlarge": 32.0}


Table = Literal["regions", "instance_types", "database"]


class Lookup(Protocol):
    """`instance_types` or `database_classes`."""

    def __call__(self, region: str | None = None) -> frozenset[str] | None:
        """What is offered there; None if that is not known."""


def regions() -> dict[str, str]:
    """Code to name of every region of the `aws` partition: `us-east-1` to `US East (N. Virginia)`."""
    names: dict[str, str] = _table("regions")["regions"]
    return names


def instance_types(region: str | None = None) -> frozenset[str] | None:
    """EC2 instance types offered in a region (without one: in any); None where the list does not cover the region."""
    return _offered("instance_types", "", region)


def database_classes(region: str | None = None) -> frozenset[str] | None:
    """RDS instance classes for PostgreSQL, such as `db.t4g.medium`; None where the list does not cover the region."""
    return _offered("database", "db.", region)


def postgresql_versions() -> tuple[str, ...]:
    """Minor versions that a new RDS instance may be created with, oldest first: `17.5`."""
    return tuple(_table("database")["versions"])


def dated(table: Table) -> str:
    """The date of a list, such as `2026-11-24`."""
    date: str = _table(table)["date"]
    return date


def architecture(instance_type: str) -> Literal["arm64", "x86_64"]:
    """The processor of an instance type or database class, by AWS's naming: a `g` after the generation is Graviton."""
    family = instance_type.removeprefix("db.").split(".")[0]
    return "arm64" if family == "a1" or re.match(r"[a-z]+\d+g", family) or family.startswith("mac2") else "x86_64"


def memory_gib(instance_type: str) -> float | None:
    """Memory of an instance type or database class in GiB; None where AWS's naming does not give it away.

    Burstable types by size; c, m and r from the fifth generation on have 2, 4 and 8 GiB per vCPU (c5n apart).
    """
    match = re.fullmatch(
        r"(?:db\.)?([a-z]+)(\d+)([a-z]*(?:-flex)?)\.(nano|micro|small|medium|large|(\d*)xlarge)", instance_type
    )
    if match is None:
        return None
    series, generation, options, size, multiple = match.groups()
    if series == "t":
        return _BURSTABLE_GIB.get(size)
    if series not in _GIB_PER_VCPU or int(generation) < 5 or (series, generation, options) == ("c", "5", "n"):
        return None
    if size in ("nano", "micro", "small"):
        return None
    virtual_cpus = {"medium": 1, "large": 2}.get(size) or 4 * int(multiple or 1)
    return float(virtual_cpus * _GIB_PER_VCPU[series])


@cache
def _offered(table: str, prefix: str, region: str | None) -> frozenset[str] | None:
    offers: dict[str, dict[str, str]] = _table(table)["offers"]
    if region is not None and region not in offers:
        return None
    chosen = offers.values() if region is None else [offers[region]]
    return frozenset(
        f"{prefix}{family}.{size}"
        for families in chosen
        for family, sizes in families.items()
        for size in sizes.split()
    )


@cache
def _table(name: str) -> dict[str, Any]:
    table: dict[str, Any] = json.loads((_FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return table
