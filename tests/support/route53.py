"""Answers a DNS question as Route 53 does, from the records and health checks of templates.

Follows Route 53's documented rules: a record is healthy when its own check is and, with EvaluateTargetHealth, when at
least one record of the name that it points to is; unhealthy records are left out of their set; a set without a healthy
record is answered as if all were healthy; a failover pair without a healthy record answers its primary. Weights are not
drawn but kept: an answer is a share of the users for each destination, and the shares sum to 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from bicoastal.blueprint.stack import Stack
from bicoastal.cfn.intrinsics import strip_comments

Json = Any
Answer = dict[str, Fraction]
"""Destination (a balancer's DNS name, or the record's values joined) to the share of users that it gets."""


@dataclass(frozen=True)
class World:
    """What the health checkers find. A host that is not named is down."""

    bodies: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """(host, path) to the body of a 200 answer."""
    alarms: Mapping[str, str] = field(default_factory=dict)
    """Alarm's name to `OK`, `ALARM` or `INSUFFICIENT_DATA`."""
    healthy_balancers: frozenset[str] = frozenset()
    """DNS names of balancers with a healthy target in every target group."""


def resolved(stack: Stack, parameters: Mapping[str, str]) -> dict[str, Json]:
    """Logical id to properties, with parameters, conditions and references to resources (by logical id) filled in."""
    document = strip_comments(stack.document)
    names = {**dict.fromkeys(document["Resources"]), **parameters}
    conditions = document.get("Conditions", {})

    def value(node: Json) -> Json:  # noqa: PLR0911 - one answer for each function of the language
        match node:
            case {"Ref": name}:
                return names[name] if names[name] is not None else name
            case {"Fn::Sub": str(text)}:
                for name, replacement in parameters.items():
                    text = text.replace(f"${{{name}}}", replacement)
                return text
            case {"Fn::Equals": [left, right]}:
                return value(left) == value(right)
            case {"Fn::If": [name, yes, no]}:
                return value(yes if value(conditions[name]) else no)
            case Mapping():
                return {key: value(item) for key, item in node.items()}
            case list():
                return [value(item) for item in node]
            case _:
                return node

    return {name: value(resource["Properties"]) for name, resource in document["Resources"].items()}


def check_states(checks: Mapping[str, Json], world: World) -> dict[str, bool]:
    """Whether each check is healthy, by logical id, once it has probed long enough to know."""
    states: dict[str, bool] = {}

    def state(name: str) -> bool:
        if name not in states:
            config = checks[name]["HealthCheckConfig"]
            states[name] = _raw_state(config, world, state) is not config.get("Inverted", False)
        return states[name]

    return {name: state(name) for name in checks}


def _raw_state(config: Mapping[str, Json], world: World, state: Callable[[str], bool]) -> bool:
    """A check's state before inversion."""
    match config["Type"]:
        case "CALCULATED":
            return sum(state(child) for child in config["ChildHealthChecks"]) >= int(config["HealthThreshold"])
        case "CLOUDWATCH_METRIC":
            found = world.alarms.get(config["AlarmIdentifier"]["Name"], "INSUFFICIENT_DATA")
            if found == "INSUFFICIENT_DATA":  # AWS does not say whether `Inverted` turns this too: here it does
                return bool(config["InsufficientDataHealthStatus"] == "Healthy")
            return found == "OK"
        case "HTTPS" | "HTTPS_STR_MATCH":
            body = world.bodies.get((config["FullyQualifiedDomainName"], config["ResourcePath"]))
            return body is not None and str(config.get("SearchString", "")) in body[:5120]
        case other:
            raise ValueError(f"no rule for checks of type {other}")


@dataclass(frozen=True)
class Zone:
    """A hosted zone's records, under the health that its checks report."""

    records: Sequence[Mapping[str, Json]]
    checks: Mapping[str, bool]
    """Check id to whether it is healthy."""
    healthy_balancers: frozenset[str]

    def ask(self, name: str, *, near: Sequence[str], kind: str = "A") -> Answer:
        """Where users are sent who ask for `name`; `near` lists the regions, the one with the least latency first.

        Raises KeyError where Route 53 would answer NXDOMAIN, and RecursionError for aliases in a circle.
        """
        usable = [record for record in self._set(name, kind) if self.is_healthy(record)] or self._set(name, kind)
        chosen = _choose(usable, near)
        total = sum((share for _, share in chosen), Fraction(0))
        answer: Answer = {}
        for record, share in chosen:
            for destination, part in self._follow(record, near, kind).items():
                answer[destination] = answer.get(destination, Fraction(0)) + part * share / total
        return answer

    def is_healthy(self, record: Mapping[str, Json]) -> bool:
        """Whether Route 53 would use the record while another one of its set is healthy."""
        check = record.get("HealthCheckId")
        if check is not None and not self.checks[check]:
            return False
        alias = record.get("AliasTarget")
        if alias is None or not alias.get("EvaluateTargetHealth", False):
            return True
        if alias["HostedZoneId"] != record["HostedZoneId"]:
            return alias["DNSName"] in self.healthy_balancers
        return any(self.is_healthy(target) for target in self._set(alias["DNSName"], record["Type"]))

    def depth(self, name: str, kind: str = "A") -> int:
        """How many names an answer passes through, the asked one included."""
        deeper = (
            self.depth(record["AliasTarget"]["DNSName"], kind)
            for record in self._set(name, kind)
            if "AliasTarget" in record and record["AliasTarget"]["HostedZoneId"] == record["HostedZoneId"]
        )
        return 1 + max(deeper, default=0)

    def _follow(self, record: Mapping[str, Json], near: Sequence[str], kind: str) -> Answer:
        alias = record.get("AliasTarget")
        if alias is None:
            return {" ".join(record["ResourceRecords"]): Fraction(1)}
        if alias["HostedZoneId"] != record["HostedZoneId"]:
            return {alias["DNSName"]: Fraction(1)}
        return self.ask(alias["DNSName"], near=near, kind=kind)

    def _set(self, name: str, kind: str) -> list[Mapping[str, Json]]:
        found = [record for record in self.records if record["Name"] == name and record["Type"] == kind]
        if not found:
            raise KeyError(f"{name} {kind}")
        return found


def _choose(usable: Iterable[Mapping[str, Json]], near: Sequence[str]) -> list[tuple[Mapping[str, Json], Fraction]]:
    """The records that a routing policy may answer, with their weights."""
    records = list(usable)
    first = records[0]
    if "Weight" in first:
        weighty = [record for record in records if record["Weight"]] or records
        return [(record, Fraction(record["Weight"] or 1)) for record in weighty]
    if "Region" in first:
        return [(min(records, key=lambda record: near.index(record["Region"])), Fraction(1))]
    if "Failover" in first:
        return [(min(records, key=lambda record: str(record["Failover"])), Fraction(1))]
    if len(records) > 1:
        raise ValueError(f"{first['Name']}: several records without a routing policy")
    return [(first, Fraction(1))]
