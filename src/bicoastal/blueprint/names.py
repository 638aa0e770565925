"""The names that users and fleets ask for, as a tree of alias records over the health checks (D4, D5, D15).

    <domain>                      the public name
      nearest.<domain>            by latency: the home region, or the standby's share
        share.<standby>.<domain>  four equal slices of the standby's users
          slice-N.<standby>...    the standby while it has room for the slice, else
            overflow.<standby>... home, and the standby even so when home is out of service
      live.<region>.<domain>      the region's balancer, while the region is in service
    <region>.<domain>             the region's balancer, whatever its health: for operators and for tests
    witness.<region>.<domain>     TXT: the epoch, as the health checks see it; what an instance fences itself by

Every answer is a decision of Route 53's data plane over health checks. No step of a failover changes a record: that
would wait for an API in us-east-1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bicoastal.blueprint.checks import Checks, Entry
from bicoastal.blueprint.stack import Resource, Stack, Where
from bicoastal.blueprint.zone import Zone
from bicoastal.cfn.intrinsics import Commented, Value, equals, if_, ref, sub
from bicoastal.spec.model import Routing, Spec

WITNESS_TTL_SECONDS = 10


@dataclass(frozen=True)
class Names:
    """Nothing takes anything from the records but people, browsers and the instance kit, by their names."""

    stack: Stack


def region_name(spec: Spec, region: str) -> str:
    """A region's balancer, whatever its health; the region's certificate holds this name beside the public one."""
    return f"{region}.{spec.domain.name}"


def witness_name(spec: Spec, region: str) -> str:
    """The name that the instances of a region ask for the epoch, as TXT."""
    return f"witness.{region}.{spec.domain.name}"


def names(spec: Spec, zone: Zone, checks: Checks, entry: Entry) -> Names:
    """The records of both regions, in the home region's stack."""
    stack = Stack(spec, "names", f"Records of {spec.domain.name}.", regions=(spec.home,))
    records = _Records(stack, zone.id_for(stack), {})
    for region, where in ((spec.home, Where.HOME), (spec.standby, Where.STANDBY)):
        _balancer(records, entry, checks, region, where)
    if spec.routing is Routing.NEAREST:
        _share(records, checks)
        top = _nearest(records)
    else:
        top = _failover(records)
    records.alias(
        "Public",
        spec.domain.name,
        top,
        comment="One plain alias on top: a change of `routing` builds the other tree beside this one, then moves "
        "this record in one step. Records of two routing policies cannot share a name.",
    )
    for region, where in ((spec.home, Where.HOME), (spec.standby, Where.STANDBY)):
        _witness(records, checks, region, where)
    return Names(stack)


def _balancer(records: _Records, entry: Entry, checks: Checks, region: str, where: Where) -> None:
    """A region's balancer under two names: as it is, and only while the region is in service."""
    stack, side = records.stack, where.value
    target = {
        "HostedZoneId": stack.input(entry.balancer_zone_id, where),
        "DNSName": stack.input(entry.balancer_dns_name, where),
        "EvaluateTargetHealth": True,
    }
    records.add(f"{side}Region", region_name(stack.spec, region), {"AliasTarget": target})
    records.add(
        f"{side}Live",
        records.live(region),
        {
            "SetIdentifier": "live",
            "Weight": Commented(
                1, "A routing policy makes the health check count; alone in its set, the weight does not."
            ),
            "HealthCheckId": stack.input(checks.in_service[region]),
            "AliasTarget": target,
        },
    )


def _share(records: _Records, checks: Checks) -> None:
    """The standby's users in slices: each stays while there is room for it, and goes home otherwise."""
    home, standby = records.stack.spec.home, records.stack.spec.standby
    overflow = f"overflow.{standby}.{records.domain}"
    records.pair(
        "Overflow",
        overflow,
        records.live(home),
        records.live(standby),
        comment="A full standby sends users home, but never to a home that is out of service: without this level, a "
        "lost home and a full standby together would leave no healthy slice, and Route 53 would answer home's users "
        "with home.",
    )
    share = f"share.{standby}.{records.domain}"
    for position, room in enumerate(checks.room, start=1):
        name = f"slice-{position}.{standby}.{records.domain}"
        records.pair(
            f"Slice{position}",
            name,
            records.live(standby),
            overflow,
            check=records.stack.input(room),
            comment="Stays while there is room for its slice AND the standby is in service." if position == 1 else "",
        )
        records.alias(f"Share{position}", share, name, SetIdentifier=f"slice-{position}", Weight=25)


def _nearest(records: _Records) -> str:
    """Each user to the nearer region; returns the name."""
    home, standby = records.stack.spec.home, records.stack.spec.standby
    name = f"nearest.{records.domain}"
    records.alias("NearestHome", name, records.live(home), SetIdentifier=home, Region=home)
    share = f"share.{standby}.{records.domain}"
    records.alias("NearestStandby", name, share, SetIdentifier=standby, Region=standby)
    return name


def _failover(records: _Records) -> str:
    """Everybody to one region until it is out of service; returns the name."""
    stack = records.stack
    home, standby = stack.spec.home, stack.spec.standby
    stack.live(
        "PrimaryRegion",
        {home: home},
        "Where everybody goes while it is in service. Moved at the end of a failover (rejoin), not during it.",
        AllowedValues=[home, standby],
    )
    stack.condition("HomeIsPrimary", equals(ref("PrimaryRegion"), home))
    name = f"failover.{records.domain}"
    at_home, at_standby = records.live(home), records.live(standby)
    records.pair(
        "Failover",
        name,
        if_("HomeIsPrimary", at_home, at_standby),
        if_("HomeIsPrimary", at_standby, at_home),
        needs=(at_home, at_standby),
        comment="The targets change places, not the roles: Route 53 refuses a moment with two PRIMARY records.",
    )
    return name


def _witness(records: _Records, checks: Checks, region: str, where: Where) -> None:
    """What a region's instances read about the other region: it has taken over, or it has not."""
    stack, side = records.stack, where.value
    other = stack.spec.standby if region == stack.spec.home else stack.spec.home
    stack.input(checks.epoch)
    stack.input(checks.next_epoch)
    name = witness_name(stack.spec, region)
    for role, text, check in (
        ("PRIMARY", sub('"epoch=${Epoch}"'), stack.input(checks.switch_off[other])),
        ("SECONDARY", sub(f'"epoch=${{NextEpoch}} region={other}"'), None),
    ):
        records.add(
            f"{side}Witness{role.title()}",
            name,
            {
                "Type": "TXT",
                "TTL": str(WITNESS_TTL_SECONDS),
                "ResourceRecords": [text],
                "SetIdentifier": role.lower(),
                "Failover": role,
                "HealthCheckId": check,
            },
            comment="" if check else "Without a check of its own: it is the answer when the other one is not.",
        )


@dataclass(frozen=True)
class _Records:
    """Adds records to the stack, each after the records that it points to: Route 53 refuses an alias to nothing."""

    stack: Stack
    zone_id: Value
    by_name: dict[str, list[Resource]] = field(default_factory=dict)

    @property
    def domain(self) -> str:
        return self.stack.spec.domain.name

    def live(self, region: str) -> str:
        """The name of a region's balancer while the region is in service."""
        return f"live.{region}.{self.domain}"

    def add(
        self,
        logical_id: str,
        name: str,
        properties: Mapping[str, Value],
        *,
        needs: Sequence[str] = (),
        comment: str = "",
    ) -> None:
        record = self.stack.add(
            logical_id,
            "AWS::Route53::RecordSet",
            {"HostedZoneId": self.zone_id, "Name": name, "Type": "A", **properties},
            depends_on=[resource for target in needs for resource in self.by_name[target]],
            comment=comment,
        )
        self.by_name.setdefault(name, []).append(record)

    def alias(
        self,
        logical_id: str,
        name: str,
        target: Value,
        *,
        needs: Sequence[str] = (),
        comment: str = "",
        **routing: Value,
    ) -> None:
        """A record that answers what another name of the zone answers, and is healthy while that name is."""
        pointer = {"HostedZoneId": self.zone_id, "DNSName": target, "EvaluateTargetHealth": True}
        self.add(logical_id, name, {**routing, "AliasTarget": pointer}, needs=needs or (target,), comment=comment)

    def pair(
        self,
        logical_id: str,
        name: str,
        primary: Value,
        secondary: Value,
        *,
        check: Value = None,
        needs: Sequence[str] = (),
        comment: str = "",
    ) -> None:
        """Two aliases of one name: the primary while it is healthy (and `check` is), else the secondary."""
        first = {"SetIdentifier": "primary", "Failover": "PRIMARY", "HealthCheckId": check}
        second = {"SetIdentifier": "secondary", "Failover": "SECONDARY"}
        self.alias(f"{logical_id}Primary", name, primary, needs=needs, comment=comment, **first)
        self.alias(f"{logical_id}Secondary", name, secondary, needs=needs, **second)
