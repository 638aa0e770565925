"""The two regions as users and health checkers meet them, in any state, over the templates' own records and checks."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bicoastal.blueprint.checks import SWITCH_PATH, Checks, checks
from bicoastal.blueprint.database.database import Database
from bicoastal.blueprint.names import Names, names
from bicoastal.blueprint.stack import Output, Stack
from bicoastal.blueprint.zone import Zone, zone
from bicoastal.spec.model import Spec
from tests.support import route53
from tests.support.route53 import Json, World, check_states, resolved

HOME, STANDBY = "us-east-1", "us-west-2"
BALANCER = {HOME: "home.elb.amazonaws.com", STANDBY: "standby.elb.amazonaws.com"}


@dataclass(frozen=True)
class Built:
    """The three concerns of DNS, from one spec."""

    spec: Spec
    zone: Zone
    checks: Checks
    names: Names


@dataclass(frozen=True)
class Room:
    """Alarms of a region, as `service` names them."""

    at_maximum: Output
    quiet: tuple[Output, ...]


@dataclass(frozen=True)
class Service:
    """What DNS takes from the service's stack."""

    balancer_dns_name: Output
    balancer_zone_id: Output
    capacity: Room


def database_of(spec: Spec) -> Database:
    """A database's outputs, without its stack's contents."""

    def output(name: str) -> Output:
        return Output("database", name, "String", name, (spec.home, spec.standby))

    stack = Stack(spec, "database", "stands for the database")
    return Database(stack, output("DatabaseArn"), output("DatabaseHost"), output("DatabasePort"), output("DatabaseId"))


def build(spec: Spec) -> Built:
    """Zone, checks and records of a spec, over outputs that stand for the service's."""

    def output(name: str) -> Output:
        return Output("service", name, "String", name, (spec.home, spec.standby))

    room = Room(output("AtMaximumAlarm"), tuple(output(f"QuietAlarm{position}") for position in range(1, 5)))
    service = Service(output("BalancerDnsName"), output("BalancerZoneId"), room)
    made, built = zone(spec), checks(spec, service)
    return Built(spec, made, built, names(spec, made, built, service))


@dataclass(frozen=True)
class State:
    """The two regions, as users and health checkers meet them."""

    up: tuple[str, ...] = (HOME, STANDBY)
    switch: tuple[tuple[str, str], ...] = ()
    """(region, body) of a switch that does not say `off`."""
    at_maximum: bool = False
    quiet_slices: int = 4
    """How many of the slices' limits the requests are under."""
    epoch: int = 1
    primary: str = HOME

    def taken_over(self, region: str, epoch: int = 2) -> State:
        return replace(self, switch=(*self.switch, (region, f"on:{epoch};")))

    def lost(self, *regions: str) -> State:
        return replace(self, up=tuple(region for region in self.up if region not in regions))

    def full(self, quiet_slices: int = 0) -> State:
        return replace(self, at_maximum=True, quiet_slices=quiet_slices)


def world(state: State) -> World:
    switches = dict(state.switch)
    bodies = {}
    for region in state.up:
        bodies[BALANCER[region], "/healthz"] = "ok"
        bodies[BALANCER[region], SWITCH_PATH] = switches.get(region, "off")
    alarms = {}
    if STANDBY in state.up:
        alarms["at-maximum"] = "ALARM" if state.at_maximum else "OK"
        alarms |= {f"quiet-{n}": "ALARM" if n > 4 - state.quiet_slices else "OK" for n in range(1, 5)}
    return World(bodies, alarms, frozenset(BALANCER[region] for region in state.up))


def answers(built: Built, state: State) -> route53.Zone:
    """The zone, as Route 53 answers it in this state once the checks have noticed."""
    parameters = {
        "HostedZoneId": "ZPUBLIC",
        "Epoch": str(state.epoch),
        "NextEpoch": str(state.epoch + 1),
        "HomeBalancerDnsName": BALANCER[HOME],
        "StandbyBalancerDnsName": BALANCER[STANDBY],
        "HomeBalancerZoneId": "ZHOMEELB",
        "StandbyBalancerZoneId": "ZSTANDBYELB",
        "StandbyAtMaximumAlarm": "at-maximum",
        "PrimaryRegion": state.primary,
        **{f"StandbyQuietAlarm{n}": f"quiet-{n}" for n in range(1, 5)},
    }
    states = check_states(resolved(built.checks.stack, parameters), world(state))
    ids = {f"{name}CheckId": name for name in states}
    records = list(resolved(built.names.stack, {**parameters, **ids}).values())
    return route53.Zone(records, states, world(state).healthy_balancers)


def records_of(built: Built) -> dict[str, Json]:
    """The records by logical id, checks named as in their own stack."""
    parameters = dict.fromkeys(built.names.stack.document["Parameters"], "x")
    parameters |= {"HostedZoneId": "ZPUBLIC", "HomeBalancerZoneId": "ZHOMEELB", "StandbyBalancerZoneId": "ZSTANDBYELB"}
    parameters |= {name: name.removesuffix("CheckId") for name in parameters if name.endswith("CheckId")}
    return resolved(built.names.stack, parameters)
