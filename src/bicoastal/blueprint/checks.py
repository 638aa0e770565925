"""The health checks that move users by themselves, and the epoch that the switches are read against (D4, D5, D15).

They stand apart from the records that use them (`names`), because an inverted check is unhealthy until its first probes
are counted: records made in the same stack would send users, and tell the fleets, that the other region has taken over.
`deploy` waits between the two stacks until every check here reports its true state.

Route 53's checkers are a global service outside both regions. Nothing here is changed during a failover: the checks see
it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from bicoastal.blueprint.stack import Output, Resource, Stack, Where
from bicoastal.cfn.intrinsics import Commented, Value, ref, sub
from bicoastal.spec.model import Routing, Spec

SWITCH_PATH = "/.well-known/bicoastal/switch"
INTERVAL_SECONDS = 10
FAILURE_THRESHOLD = 3
"""Probes in a row that change a check's mind: a region is seen lost after about 30 seconds."""


class Capacity(Protocol):
    """Names of the alarms that say whether a region still has room."""

    @property
    def at_maximum(self) -> Output:
        """In ALARM while the fleet is at its largest."""

    @property
    def quiet(self) -> Sequence[Output]:
        """One for each slice: in ALARM while requests per instance stay below the slice's limit."""


class Entry(Protocol):
    """What checks and records need of `service`, whose own type would close a circle: its instances ask these names."""

    @property
    def balancer_dns_name(self) -> Output:
        """The balancer's own name."""

    @property
    def balancer_zone_id(self) -> Output:
        """AWS's zone of that name."""

    @property
    def capacity(self) -> Capacity:
        """When users of the region go to the other one."""


@dataclass(frozen=True)
class Checks:
    """Ids of the checks that records are tied to, by region where there is one in each."""

    stack: Stack
    epoch: Output
    next_epoch: Output
    in_service: Mapping[str, Output]
    """Healthy while the region answers and the other one has not taken over."""
    switch_off: Mapping[str, Output]
    """Healthy while the region's switch does not say the next epoch, or the region is down."""
    room: tuple[Output, ...]
    """Healthy while the standby has room for its slice of users; none when everybody goes to one region anyway."""


def checks(spec: Spec, entry: Entry) -> Checks:
    """The checks of both regions, in the home region's stack."""
    stack = Stack(spec, "checks", "Route 53 health checks: who is in service, and who has room.", regions=(spec.home,))
    epoch, next_epoch = _epochs(stack)
    sides = ((spec.home, Where.HOME), (spec.standby, Where.STANDBY))
    endpoints = {
        region: _endpoint(stack, where, stack.input(entry.balancer_dns_name, where)) for region, where in sides
    }
    switches = {
        region: _switch_off(stack, where, stack.input(entry.balancer_dns_name, where)) for region, where in sides
    }
    others = {spec.home: spec.standby, spec.standby: spec.home}
    in_service = {
        region: _all_of(
            stack,
            f"{where.value}InService",
            (endpoints[region], switches[others[region]]),
            "In service: it answers, and the other region's switch does not say that it has taken over. While the "
            "other region is down its switch says nothing, so this one stays.",
        )
        for region, where in sides
    }
    room = _room(stack, entry.capacity) if spec.routing is Routing.NEAREST else ()
    return Checks(
        stack,
        epoch,
        next_epoch,
        {region: _id_of(stack, check) for region, check in in_service.items()},
        {region: _id_of(stack, check) for region, check in switches.items()},
        tuple(_id_of(stack, check) for check in room),
    )


def _epochs(stack: Stack) -> tuple[Output, Output]:
    home = stack.spec.home
    stack.live(
        "Epoch",
        {home: "1"},
        "How often the database has moved, counted from 1. Written by the end of a failover (rejoin), not during it.",
        type_="Number",
        MinValue=1,
    )
    stack.live(
        "NextEpoch",
        {home: "2"},
        "Epoch + 1: what the other region's switch says once it has taken over. A switch left over from an earlier "
        "failover says an older one and counts for nothing.",
        type_="Number",
        MinValue=2,
    )
    return (
        stack.output("Epoch", ref("Epoch"), "How often the database has moved.", type_="Number"),
        stack.output("NextEpoch", ref("NextEpoch"), "The epoch that a takeover would begin.", type_="Number"),
    )


def _endpoint(stack: Stack, where: Where, host: Value) -> Resource:
    return _https(
        stack,
        f"{where.value}Endpoint",
        {"Type": "HTTPS", "FullyQualifiedDomainName": host, "ResourcePath": stack.spec.app.health_path},
        "Asks the region's balancer by its own name, so that no DNS answer stands between. A redirect would pass "
        "here, but not the target group's matcher of 200, which the record's EvaluateTargetHealth brings in.",
    )


def _switch_off(stack: Stack, where: Where, host: Value) -> Resource:
    return _https(
        stack,
        f"{where.value}SwitchOff",
        {
            "Type": "HTTPS_STR_MATCH",
            "FullyQualifiedDomainName": host,
            "ResourcePath": SWITCH_PATH,
            "SearchString": sub("on:${NextEpoch};"),
            "Inverted": Commented(
                True,
                "A match is the exception: healthy means that this region has not taken over. No answer is no match.",
            ),
        },
        "The switch is a fixed answer of the region's own balancer. Taking over is one call to that region, and none "
        "to Route 53, whose API lives in us-east-1.",
    )


def _https(stack: Stack, logical_id: str, config: Mapping[str, Value], comment: str) -> Resource:
    fast = {
        "Port": 443,
        "EnableSNI": True,
        "RequestInterval": INTERVAL_SECONDS,
        "FailureThreshold": FAILURE_THRESHOLD,
    }
    return stack.add(
        logical_id, "AWS::Route53::HealthCheck", {"HealthCheckConfig": {**config, **fast}}, comment=comment
    )


def _room(stack: Stack, capacity: Capacity) -> tuple[Resource, ...]:
    """A calculated check for each slice; none takes a calculated check as its child, which Route 53 refuses."""
    below = _alarm_check(
        stack,
        "StandbyBelowMaximum",
        stack.input(capacity.at_maximum, Where.STANDBY),
        inverted=False,
        comment="The fleet can still grow, so traffic is the scaling policy's business, not a reason to send users "
        "away.",
    )
    rooms = []
    for position, alarm in enumerate(capacity.quiet, start=1):
        quiet = _alarm_check(
            stack,
            f"StandbyQuiet{position}",
            stack.input(alarm, Where.STANDBY),
            inverted=True,
            comment="The alarm is in ALARM after ten quiet minutes and out of it after one busy one: a slice leaves "
            "at once and comes back slowly, so that users don't swing between the regions.",
        )
        rooms.append(
            stack.add(
                f"StandbyRoom{position}",
                "AWS::Route53::HealthCheck",
                {
                    "HealthCheckConfig": {
                        "Type": "CALCULATED",
                        "HealthThreshold": 1,
                        "ChildHealthChecks": _refs(below, quiet),
                    }
                },
                comment=f"Room for slice {position}: the fleet can grow, or it is quiet enough as it is.",
            )
        )
    return tuple(rooms)


def _alarm_check(stack: Stack, logical_id: str, alarm: Value, *, inverted: bool, comment: str) -> Resource:
    config: dict[str, Value] = {
        "Type": "CLOUDWATCH_METRIC",
        "AlarmIdentifier": {"Name": alarm, "Region": stack.spec.standby},
        "InsufficientDataHealthStatus": Commented(
            "Healthy", "No data is no proof of being full; a region that is gone is another check's business."
        ),
    }
    if inverted:
        config["Inverted"] = True
    return stack.add(logical_id, "AWS::Route53::HealthCheck", {"HealthCheckConfig": config}, comment=comment)


def _all_of(stack: Stack, logical_id: str, children: Sequence[Resource], comment: str) -> Resource:
    config = {"Type": "CALCULATED", "HealthThreshold": len(children), "ChildHealthChecks": _refs(*children)}
    return stack.add(logical_id, "AWS::Route53::HealthCheck", {"HealthCheckConfig": config}, comment=comment)


def _refs(*children: Resource) -> list[Value]:
    return [child.ref for child in children]


def _id_of(stack: Stack, check: Resource) -> Output:
    return stack.output(f"{check.logical_id}CheckId", check.ref, f"Id of the health check {check.logical_id}.")
