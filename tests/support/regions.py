"""The two regions as users and health checkers meet them, in any state, over the templates' own records and checks."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bicoastal.blueprint.checks import SWITCH_PATH, Balancers, Capacity, Checks, checks
from bicoastal.blueprint.names import Names, names
from bicoastal.blueprint.stack import Output
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


def build(spec: Spec) -> Built:
    both = (HOME, STANDBY)

    def output(name: str) -> Output:
        return Output("service", name, "String", name, both)

    balancers = Balancers(output("BalancerDnsName"), output("BalancerZoneId"))
    capacity = Capacity(output("AtMaximumAlarm"), [output(f"QuietAlarm{slice_}") for slice_ in range(1, 5)])
    made = zone(spec)
    built = checks(spec, balancers, capacity)
    return Built(spec, made, built, names(spec, made, built, balancers))


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
