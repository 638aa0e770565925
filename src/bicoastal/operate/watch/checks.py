"""Route 53's health checks: what each one asks, how its checkers vote, and what follows from that.

A calculated check and one on an alarm have no checkers, and Route 53 tells their state in its console alone: it is
reckoned here by Route 53's documented rules from what it reads, and unknown where one of those is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bicoastal.aws.faults import ApiFault, aws_faults
from bicoastal.aws.session import Session
from bicoastal.operate.observe import resources_of
from bicoastal.operate.subject import Subject

ENOUGH = 0.18
"""An endpoint is healthy while more than this share of checkers says so (Route 53 Developer Guide, "How Amazon Route 53
determines whether a health check is healthy")."""
GLOBAL = "us-east-1"
"""Where Route 53's control plane is."""


@dataclass(frozen=True)
class Check:
    """A health check at one moment."""

    name: str
    """Its logical id in the stack: `HomeInService`."""
    kind: str
    """`endpoint`, `calculated` or `alarm`."""
    healthy: bool | None
    """None: not known."""
    votes: tuple[int, int] | None
    """Checkers, or children, that say healthy, of how many; None where they could not be asked."""
    needs: int | None
    """Of a calculated one: how many children must be healthy."""
    inverted: bool
    asks: str
    """What it looks at, in words."""


AlarmStates = Mapping[tuple[str, str], str]
"""Region and name of an alarm to its state."""


@dataclass(frozen=True)
class Definitions:
    """The checks as they are defined."""

    names: Mapping[str, str]
    """Id to logical id."""
    configurations: Mapping[str, Mapping[str, Any]]
    """By id, in the order of the stack."""


def definitions(session: Session, subject: Subject) -> Definitions:
    """As the stack made them. Raises SystemFault; empty where there is no such stack."""
    try:
        resources = resources_of(session, subject.stack("checks"), subject.home)
    except ApiFault as fault:
        if fault.code == "ValidationError":
            return Definitions({}, {})
        raise
    names = {id_: name for name, id_ in resources.items() if id_}
    with aws_faults("reading the health checks"):
        pages = session.client("route53", GLOBAL).get_paginator("list_health_checks").paginate()
        found = {item["Id"]: item["HealthCheckConfig"] for page in pages for item in page["HealthChecks"]}
    return Definitions(names, {id_: found[id_] for id_ in sorted(names, key=lambda id_: names[id_]) if id_ in found})


def checks(session: Session, defined: Definitions, alarms: AlarmStates) -> list[Check]:
    """All of them as they are now. Raises SystemFault where Route 53 does not answer."""
    votes = {id_: _votes(session, id_) for id_, config in defined.configurations.items() if _kind(config) == "endpoint"}
    return judged(defined, votes, alarms)


def judged(defined: Definitions, votes: Mapping[str, Sequence[bool] | None], alarms: AlarmStates) -> list[Check]:
    """The same from votes that are known; asks nothing."""
    done: dict[str, Check] = {}

    def check(id_: str) -> Check:
        if id_ not in done:
            done[id_] = _judge(id_, defined, votes, alarms, check)
        return done[id_]

    return [check(id_) for id_ in defined.configurations]


def _judge(id_: str, defined: Definitions, votes: Any, alarms: AlarmStates, check: Any) -> Check:
    config = defined.configurations[id_]
    name, kind, inverted = defined.names.get(id_, id_), _kind(config), bool(config.get("Inverted"))
    healthy: bool | None
    needs: int | None = None
    count: tuple[int, int] | None = None
    if kind == "endpoint":
        said = votes.get(id_)
        healthy = None if not said else sum(said) / len(said) > ENOUGH
        count = (sum(said), len(said)) if said else None
        path = config.get("ResourcePath", "/")
        asks = f"{path} of {_short(config.get('FullyQualifiedDomainName') or config.get('IPAddress', ''))}"
        if config.get("SearchString"):
            asks += f" for “{config['SearchString']}”"
    elif kind == "calculated":
        children = [check(child) for child in config.get("ChildHealthChecks", ()) if child in defined.configurations]
        needs = int(config.get("HealthThreshold", 0))
        good = sum(child.healthy is True for child in children)
        unknown = sum(child.healthy is None for child in children)
        count = (good, len(children))
        healthy = True if good >= needs else False if good + unknown < needs else None
        asks = (
            " and ".join(child.name for child in children)
            if needs == len(children)
            else " or ".join(child.name for child in children)
        )
    else:
        alarm = config.get("AlarmIdentifier") or {}
        state = alarms.get((alarm.get("Region", ""), alarm.get("Name", "")))
        default = {"Healthy": True, "Unhealthy": False}.get(config.get("InsufficientDataHealthStatus", ""))
        healthy = None if state is None else default if state == "INSUFFICIENT_DATA" else state == "OK"
        asks = f"alarm {alarm.get('Name', '')}"
    if healthy is not None and inverted:
        healthy = not healthy
    return Check(name, kind, healthy, count, needs, bool(config.get("Inverted")), asks)


def _kind(config: Mapping[str, Any]) -> str:
    return {"CALCULATED": "calculated", "CLOUDWATCH_METRIC": "alarm"}.get(config.get("Type", ""), "endpoint")


def _short(host: str) -> str:
    """A balancer's name holds its region; the rest of it tells people nothing."""
    parts = host.split(".")
    return f"the balancer in {parts[1]}" if host.endswith(".elb.amazonaws.com") and len(parts) > 4 else host


def _votes(session: Session, id_: str) -> list[bool] | None:
    try:
        with aws_faults(f"reading the votes of health check {id_}"):
            found = session.client("route53", GLOBAL).get_health_check_status(HealthCheckId=id_)
    except ApiFault as fault:
        if fault.code in ("NoSuchHealthCheck", "InvalidInput"):
            return None
        raise
    return [
        str(item["StatusReport"]["Status"]).startswith("Success") for item in found.get("HealthCheckObservations", ())
    ]
