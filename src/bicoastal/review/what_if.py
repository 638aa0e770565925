"""What if: for each Availability Zone and each region lost, what still answers, by which path, and what is manual.

Everything is said of what the templates hold, and of nothing else: what cannot be told is said to be unknown. Durations
are `budget`'s, with their sources.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from bicoastal.cfn.deployment import Resource
from bicoastal.cfn.values import Unknown, Value
from bicoastal.review.case import Case
from bicoastal.review.model.network import ANYWHERE, Subnet
from bicoastal.review.model.resolution import Situation
from bicoastal.review.model.service import Balancer, Fleet
from bicoastal.review.verdict import number, yes

_ZONE = re.compile(r"\$\{AWS::AvailabilityZone/(?P<region>[^/]+)/(?P<index>\d)\}")


class Effect(StrEnum):
    """What a loss does to a part."""

    GOES_ON = "goes on"
    INTERRUPTED = "interrupted"
    MANUAL = "by hand"
    STOPS = "stops"
    UNKNOWN = "can't tell"


@dataclass(frozen=True)
class Line:
    """What becomes of one part."""

    part: str
    effect: Effect
    text: str


@dataclass
class Loss:
    """Something lost, and what becomes of everything else."""

    what: str
    """`us-east-1a`, or `us-east-1` for a whole region."""
    region: str
    whole: bool
    lines: list[Line] = field(default_factory=list)

    def say(self, part: str, effect: Effect, text: str) -> None:
        """A part's fate."""
        self.lines.append(Line(part, effect, text))


def losses(case: Case) -> list[Loss]:
    """Each zone that something stands in, then each region."""
    found: list[Loss] = []
    for region in case.deployment.regions:
        if not _stands(case, region):
            continue
        zones = sorted({zone for zone in _zones(case, region) if zone})
        found.extend(_zone_lost(case, region, zone) for zone in zones)
        found.append(_region_lost(case, region))
    return found


def _stands(case: Case, region: str) -> bool:
    return bool(case.balancers(region) or case.fleets(region) or case.databases(region))


def as_data(found: list[Loss]) -> list[dict[str, Any]]:
    """For machines."""
    return [
        {
            "lost": loss.what,
            "region": loss.region,
            "kind": "region" if loss.whole else "zone",
            "parts": [{"part": line.part, "effect": line.effect.value, "text": line.text} for line in loss.lines],
            "manual": [line.text for line in loss.lines if line.effect is Effect.MANUAL],
        }
        for loss in found
    ]


# Zones.


def spoken(zone: str) -> str:
    """A zone as people call it, where the templates leave its letter to AWS."""
    match = _ZONE.fullmatch(zone)
    if match:
        return f"{match['region']}, zone {int(match['index']) + 1} of Fn::GetAZs"
    return zone


def _subnets(case: Case, region: str, values: list[Value]) -> list[Subnet]:
    network = case.network(region)
    return [subnet for value in values if (subnet := network.subnet(value)) is not None]


def _of_fleet(case: Case, fleet: Fleet) -> list[Subnet]:
    return _subnets(case, fleet.resource.region, fleet.resource.items("VPCZoneIdentifier"))


def _of_balancer(case: Case, balancer: Balancer) -> list[Subnet]:
    item = balancer.resource
    values = item.items("Subnets") or [
        item.get("SubnetMappings", index, "SubnetId") for index, _ in enumerate(item.items("SubnetMappings"))
    ]
    return _subnets(case, item.region, values)


def _of_database(case: Case, item: Resource) -> list[Subnet]:
    group = case.deployment.resource(item.get("DBSubnetGroupName"))
    return _subnets(case, item.region, group.items("SubnetIds")) if group else []


def _zones(case: Case, region: str) -> Iterator[str]:
    for fleet in case.fleets(region):
        yield from (subnet.zone for subnet in _of_fleet(case, fleet))
    for balancer in case.balancers(region):
        yield from (subnet.zone for subnet in _of_balancer(case, balancer))
    for item in case.databases(region):
        yield from (subnet.zone for subnet in _of_database(case, item))


def _zone_lost(case: Case, region: str, zone: str) -> Loss:
    loss = Loss(spoken(zone), region, whole=False)
    for balancer in case.balancers(region):
        name = balancer.resource.logical_id
        left = {subnet.zone for subnet in _of_balancer(case, balancer)} - {zone}
        if left:
            loss.say("web", Effect.GOES_ON, f"{name} answers from {_count(len(left), 'other zone')}")
        else:
            loss.say("web", Effect.STOPS, f"{name} stands in this zone alone")
    for fleet in case.fleets(region):
        _fleet_loses(case, loss, fleet, zone)
    for item in case.databases(region):
        _database_loses(case, loss, item, zone)
    _ways_out(case, loss, region, zone)
    return loss


def _fleet_loses(case: Case, loss: Loss, fleet: Fleet, zone: str) -> None:
    item = fleet.resource
    zones = {subnet.zone for subnet in _of_fleet(case, fleet)}
    if not zones:
        loss.say("servers", Effect.UNKNOWN, f"where {item.logical_id} stands is not in these templates")
    elif zone not in zones:
        loss.say("servers", Effect.GOES_ON, f"{item.logical_id} does not stand there")
    elif len(zones) == 1:
        loss.say("servers", Effect.STOPS, f"{item.logical_id} stands in this zone alone")
    else:
        least, most = number(item.get("MinSize")), number(item.get("MaxSize"))
        left = len(zones) - 1
        if least is not None and least < 2:
            text = f"{item.logical_id} may be a single instance: lost with its zone until the group starts another"
            loss.say("servers", Effect.INTERRUPTED, text)
            return
        size = f" (of {least:g} to {most:g} instances)" if least is not None and most is not None else ""
        share = f"about {left}/{len(zones)} of {item.logical_id}{size} are left"
        loss.say("servers", Effect.GOES_ON, f"{share}; the group starts the rest in {_count(left, 'other zone')}")


def _database_loses(case: Case, loss: Loss, item: Resource, zone: str) -> None:
    part = "reads" if case.is_replica(item) else "database"
    multi = item.get("MultiAZ")
    if isinstance(multi, Unknown):
        loss.say(part, Effect.UNKNOWN, f"whether {item.logical_id} is Multi-AZ: {multi.reason}")
    elif yes(multi):
        text = f"if {item.logical_id} stands there, RDS moves it to its standby in another zone by itself"
        loss.say(part, Effect.INTERRUPTED, f"{text}; no acknowledged write is lost")
    else:
        own = item.get("AvailabilityZone")
        if own is not None and not isinstance(own, Unknown) and case.deployment.spelled(own) != zone:
            loss.say(part, Effect.GOES_ON, f"{item.logical_id} stands in another zone")
        else:
            text = f"if {item.logical_id} stands there, it is gone: it is not Multi-AZ"
            loss.say(part, Effect.STOPS, text)
            loss.say(part, Effect.MANUAL, f"restore {item.logical_id} to a point in time in another zone")


def _ways_out(case: Case, loss: Loss, region: str, zone: str) -> None:
    """NAT gateways that other zones' instances depend on."""
    cut = []
    for fleet in case.fleets(region):
        for subnet in _of_fleet(case, fleet):
            route = next((one for one in subnet.routes if one.destination == ANYWHERE and one.kind == "nat"), None)
            if subnet.zone == zone or route is None or route.target is None:
                continue
            home = case.network(region).subnet(route.target.get("SubnetId"))
            if home is not None and home.zone == zone:
                cut.append(subnet.resource.logical_id)
    if cut:
        names = " and ".join(dict.fromkeys(cut))
        loss.say("way out", Effect.STOPS, f"{names} of other zones reach the internet by the NAT gateway of this zone")


# Regions.


def _region_lost(case: Case, region: str) -> Loss:
    loss = Loss(region, region, whole=True)
    others = [name for name in case.deployment.regions if name != region and _stands(case, name)]
    if not others:
        loss.say("web", Effect.STOPS, "nothing stands in another region")
    else:
        _names_move(case, loss, region, others)
        for other in others:
            _survivor(case, loss, other)
    _data_left(case, loss, region)
    return loss


def _names_move(case: Case, loss: Loss, region: str, others: list[str]) -> None:
    name = case.public_name
    if not name or not case.names.named(name):
        loss.say("names", Effect.MANUAL, f"no DNS record here leads users to {' or '.join(others)}: change DNS by hand")
        return
    for near in dict.fromkeys((region, *others)):
        shares = case.resolution.shares(name, Situation(lost=frozenset({region})), near=near)
        if set(shares) <= set(others) and shares:
            guards = {check.logical_id for record in case.names.named(name) if (check := record.check) is not None}
            by = f" by {len(guards)} health checks" if len(guards) > 1 else f" by {min(guards)}" if guards else ""
            text = f"users near {near} are led to {' and '.join(sorted(shares))}{by or ' by DNS'}, without a call"
            loss.say("names", Effect.INTERRUPTED if near == region else Effect.GOES_ON, text)
        else:
            still = " and ".join(sorted(shares)) or "nothing"
            loss.say("names", Effect.MANUAL, f"users near {near} are still sent to {still}: change DNS by hand")


def _survivor(case: Case, loss: Loss, other: str) -> None:
    balancer, fleet = case.balancer(other), case.fleet(other)
    if balancer is None or fleet is None:
        what = "load balancer" if balancer is None else "fleet"
        loss.say("web", Effect.STOPS, f"{other} has no {what}")
        return
    most, least = number(fleet.resource.get("MaxSize")), number(fleet.resource.get("MinSize"))
    if least == 0:
        loss.say("web", Effect.MANUAL, f"{fleet.resource.logical_id} of {other} may have no instances: start some")
        return
    lost = case.fleet(loss.region)
    usual = number(lost.resource.get("MaxSize")) if lost else None
    text = f"{balancer.resource.logical_id} of {other} answers; its fleet grows to {most:g}" if most else (
        f"{balancer.resource.logical_id} of {other} answers"
    )  # fmt: skip
    if most is not None and usual is not None and most < usual:
        text += f", less than the {usual:g} of {loss.region}"
    loss.say("web", Effect.GOES_ON, text)


def _data_left(case: Case, loss: Loss, region: str) -> None:
    here = case.databases(region)
    if not here and not case.databases():
        return
    away = [item for item in case.databases() if item.region != region]
    primaries = [item for item in here if not case.is_replica(item)]
    writers = [item for item in away if not case.is_replica(item)]
    if not primaries and writers:
        loss.say("writes", Effect.GOES_ON, f"{writers[0].logical_id} of {writers[0].region} is the primary")
    for item in away:
        if case.is_replica(item):
            loss.say("reads", Effect.GOES_ON, f"{item.logical_id} of {item.region} holds a copy, as old as its lag")
            if primaries:
                text = f"promote {item.logical_id} of {item.region}: `bicoastal failover`, where it was built by synth"
                loss.say("writes", Effect.MANUAL, text)
    if primaries and not away:
        copies = sorted(_copies(case, region))
        if copies:
            loss.say("writes", Effect.MANUAL, f"restore the last backup that was copied to {' and '.join(copies)}")
        else:
            loss.say("writes", Effect.STOPS, f"no copy of {primaries[0].logical_id} is in another region")


def _copies(case: Case, region: str) -> set[str]:
    """Regions that backup plans of a region copy to."""
    found = set()
    for plan in case.deployment.of_type("AWS::Backup::BackupPlan", region=region):
        for rule, _ in enumerate(plan.items("BackupPlan", "BackupPlanRule")):
            for index, _ in enumerate(plan.items("BackupPlan", "BackupPlanRule", rule, "CopyActions")):
                value = plan.get(
                    "BackupPlan", "BackupPlanRule", rule, "CopyActions", index, "DestinationBackupVaultArn"
                )
                spelled = case.deployment.spelled(value) if value is not None else ""
                target = case.deployment.resource(value) if value is not None else None
                parts = spelled.split(":")
                copy = target.region if target else parts[3] if len(parts) > 3 else ""
                if copy and copy != region and not copy.startswith("$"):
                    found.add(copy)
    return found


def _count(number_: int, noun: str) -> str:
    return f"{number_} {noun}{'' if number_ == 1 else 's'}"
