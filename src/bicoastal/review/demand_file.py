"""Reads what was asked from a YAML file of demands, for templates that no spec of ours made; docs/review.md shows one.

A file begins from a profile and says what is different. It is checked by hand: loading the spec's model would take
longer than the whole review.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from bicoastal.core.documents import Document, read
from bicoastal.core.errors import InputError
from bicoastal.core.findings import Finding, Severity
from bicoastal.review.asked import ROWS
from bicoastal.review.demand import Demand, RegionDemand, single_region_web, two_region_web

RULE = "demand"
PROFILES: Mapping[str, Callable[..., Demand]] = {
    "two-region-web": two_region_web,
    "single-region-web": single_region_web,
}


def _text(value: Any) -> str | None:
    return str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else None


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _truth(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _texts(value: Any) -> tuple[str, ...] | None:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        return None
    return tuple(value)


def _tags(value: Any) -> dict[str, str | None] | None:
    """A mapping of tags to values, or a list of keys whose values may be any."""
    if isinstance(value, list):
        return {str(item): None for item in value}
    if not isinstance(value, Mapping):
        return None
    return {str(key): None if item is None else str(item) for key, item in value.items()}


def _routing(value: Any) -> str | None:
    return value if value in ("nearest", "failover") else None


def _rows(value: Any) -> frozenset[str] | None:
    names = _texts(value)
    return None if names is None or not set(names) <= {row.id for row in ROWS} else frozenset(names)


FIELDS: Mapping[str, tuple[Callable[[Any], Any], str, str]] = {
    "instance_type": (_text, "text", "EC2 instance type of the fleets"),
    "fleet_min": (_count, "a number", "instances in each region at least"),
    "fleet_max": (_count, "a number", "instances in each region at most"),
    "port": (_count, "a number", "TCP port that the application listens on"),
    "health_path": (_text, "text", "path that answers whether a server can serve"),
    "domain": (_text, "text", "public name of the application"),
    "routing": (_routing, "nearest or failover", "whether both regions serve in peace"),
    "zone_given": (_truth, "true or false", "the hosted zone exists: no template creates it"),
    "engine_version": (_text, "text", "PostgreSQL version, or the beginning of it"),
    "read_replicas": (_count, "a number", "read replicas beside the database, in its own region"),
    "log_days": (_count, "a number", "days that logs are kept"),
    "aggregate_logs": (_truth, "true or false", "logs of both regions are brought together"),
    "copies": (_texts, "a list of regions", "regions that may hold copies of the data"),
    "writes_cross": (_truth, "true or false", "the standby's application may write to the home region's database"),
    "tags": (_tags, "a mapping, or a list of keys", "tags that everything bears; any value, where none is said"),
    "emergency_minutes": (_count, "a number", "minutes that emergency access may last"),
    "alerts": (_texts, "a list of addresses", "who alarms are sent to"),
    "rto_minutes": (_count, "a number", "promise: minutes until writes are possible after the loss of home"),
    "rpo_seconds": (_count, "a number", "promise: seconds of acknowledged writes that may be lost with home"),
    "not_asked": (_rows, f"a list of rows from {ROWS[0].id} to {ROWS[-1].id}", "rows that nobody asked for"),
}
"""Key to how it is read, what it takes, and what it is."""

REGION_FIELDS: Mapping[str, tuple[Callable[[Any], Any], str, str]] = {
    "cidr": (_text, "text", "the VPC's addresses"),
    "zones": (_count, "a number", "Availability Zones to spread over"),
    "requests_per_minute": (_count, "a number", "requests per instance and minute at which the fleet grows"),
    "cpu_percent": (_count, "a number", "CPU at which it grows"),
    "memory_percent": (_count, "a number", "memory at which it grows"),
    "at_capacity_requests": (_count, "a number", "requests per instance and minute at which a full region spills over"),
    "backup_start": (_text, "text", "local time of the daily backup, such as 21:00"),
    "backup_time_zone": (_text, "text", "zone of that time"),
    "backup_keep_days": (_count, "a number", "days until a recovery point expires"),
}
"""The same below `regions.<region>`."""
_TOP = ("profile", "home", "standby", "regions")


def demand_from(path: Path) -> Demand:
    """What a file of demands asks for. InputError with everything that is wrong with it."""
    document = read(path).checked()
    findings: list[Finding] = []
    demand = _demand(document, findings)
    if findings or demand is None:
        raise InputError(findings)
    return demand


def _demand(document: Document, findings: list[Finding]) -> Demand | None:
    data = document.value
    if not isinstance(data, Mapping):
        findings.append(_wrong(document, (), "this is not a file of demands", "Write `profile: two-region-web`."))
        return None
    name = data.get("profile", "two-region-web")
    if name not in PROFILES:
        findings.append(
            _wrong(document, ("profile",), f"there is no profile {name}", f"There are: {', '.join(PROFILES)}.")
        )
        return None
    demand = PROFILES[name]()
    values = dict(_read(document, (), {k: v for k, v in data.items() if k not in _TOP}, FIELDS, findings))
    home, standby = str(data.get("home", demand.home.name)), data.get("standby")
    if demand.standby is None and standby is not None:
        findings.append(
            _wrong(document, ("standby",), f"{name} has one region", "Write `profile: two-region-web`, or remove it.")
        )
    own = demand.standby
    if own is not None and (standby is not None or home == own.name):
        own = RegionDemand(str(standby) if standby is not None else "us-east-1")
    if own is not None and own.name == home:
        findings.append(_wrong(document, ("standby",), "home and standby are the same region", "Name two."))
    demand = replace(demand, home=RegionDemand(home), standby=own, copies=(own.name,) if own else ())
    regions = _regions(document, demand, findings)
    demand = replace(demand, home=regions.get("home", demand.home), standby=regions.get("standby", demand.standby))
    return replace(demand, **values)


def _regions(document: Document, demand: Demand, findings: list[Finding]) -> dict[str, RegionDemand]:
    written = document.value.get("regions") or {}
    found: dict[str, RegionDemand] = {}
    if not isinstance(written, Mapping):
        findings.append(_wrong(document, ("regions",), "this is not a mapping", "Write a key for each region."))
        return {}
    roles = {region.name: role for role, region in (("home", demand.home), ("standby", demand.standby)) if region}
    for name, body in written.items():
        path = ("regions", name)
        if name not in roles:
            known = " and ".join(roles)
            findings.append(_wrong(document, path, f"{name} is not asked for", f"The regions are {known}."))
        elif not isinstance(body, Mapping):
            findings.append(_wrong(document, path, "this is not a mapping", "Write `zones: 3` and the like below it."))
        else:
            values = dict(_read(document, path, body, REGION_FIELDS, findings))
            found[roles[name]] = RegionDemand(name, **values)
    return found


def _read(
    document: Document,
    path: tuple[str, ...],
    body: Mapping[str, Any],
    fields: Mapping[str, tuple[Callable[[Any], Any], str, str]],
    findings: list[Finding],
) -> Iterator[tuple[str, Any]]:
    for key, value in body.items():
        where = (*path, key)
        if key not in fields:
            near = difflib.get_close_matches(str(key), [*fields, *(() if path else _TOP)], 1)
            remedy = f"Did you mean {near[0]}?" if near else "docs/review.md lists what can be asked."
            findings.append(_wrong(document, where, f"nothing is called {key}", remedy))
            continue
        reader, takes, _ = fields[key]
        # As it is written: `engine_version: 17.10` is no number, and neither is a time of day.
        known = reader(document.written(where) or value) if reader is _text else reader(value)
        if known is None:
            findings.append(_wrong(document, where, f"{key} takes {takes}", f"It is {value!r}."))
        else:
            yield key, known


def _wrong(document: Document, path: tuple[str, ...], title: str, remedy: str) -> Finding:
    return Finding(RULE, Severity.ERROR, title, document.location(path), remedy=remedy)
