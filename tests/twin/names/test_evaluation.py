"""Answers from records and health: Route 53's rules one by one, and the example's own records against the oracle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import yaml

from bicoastal.blueprint.stack import Stack
from bicoastal.twin.names.evaluation import Answer, outcomes
from bicoastal.twin.names.records import Balancer, World, Zone, balancer_key
from tests.support import route53 as oracle
from tests.support.regions import BALANCER, HOME, STANDBY, State, world

Json = Any
ALL = Fraction(1)
NEAR_HOME, NEAR_STANDBY = (HOME, STANDBY), (STANDBY, HOME)
TEMPLATES = Path(__file__).resolve().parents[3] / "examples" / "orders" / "deployment" / "templates"
SOA = "ns-1.awsdns-1.com. awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400"


def zone(*items: Mapping[str, Json], id_: str = "ZPUBLIC") -> Zone:
    start = {"Name": "example.com.", "Type": "SOA", "TTL": "900", "ResourceRecords": [SOA]}
    return Zone.read(id_, "example.com.", [start, *items])


def record(name: str, value: str, kind: str = "A", **more: Json) -> dict[str, Json]:
    return {"Name": f"{name}.example.com", "Type": kind, "TTL": "30", "ResourceRecords": [value], **more}


def alias(name: str, target: str, zone_id: str = "ZPUBLIC", **more: Json) -> dict[str, Json]:
    to = {"HostedZoneId": zone_id, "DNSName": target, "EvaluateTargetHealth": True}
    return {"Name": f"{name}.example.com", "Type": "A", "AliasTarget": to, **more}


def values(world_: World, name: str, kind: str = "A", near: Sequence[str] = NEAR_HOME) -> dict[str, Fraction]:
    found: dict[str, Fraction] = {}
    for share, answer in outcomes(world_, f"{name}.example.com", kind, near):
        text = " ".join(line.value for line in answer.lines) or answer.code
        found[text] = found.get(text, Fraction(0)) + share
    return found


class TestRules:
    """One set of records each."""

    @pytest.mark.parametrize(
        ("weights", "unhealthy", "expected"),
        [
            ((1, 3), "", {"1.1.1.1": Fraction(1, 4), "1.1.1.2": Fraction(3, 4)}),
            ((1, 3), "2", {"1.1.1.1": Fraction(1)}),
            ((1, 3), "12", {"1.1.1.1": Fraction(1, 4), "1.1.1.2": Fraction(3, 4)}),
            ((0, 3), "", {"1.1.1.2": Fraction(1)}),
            ((0, 3), "2", {"1.1.1.1": Fraction(1)}),
            ((0, 0), "", {"1.1.1.1": Fraction(1, 2), "1.1.1.2": Fraction(1, 2)}),
        ],
    )
    def test_weights(self, weights: tuple[int, int], unhealthy: str, expected: dict[str, Fraction]) -> None:
        records = [
            record("www", f"1.1.1.{n}", SetIdentifier=str(n), Weight=weight, HealthCheckId=str(n))
            for n, weight in enumerate(weights, 1)
        ]
        checks = {name: name not in unhealthy for name in "12"}
        assert values(World((zone(*records),), checks), "www") == expected

    def test_latency_takes_the_users_region_and_the_next_one_when_it_is_unhealthy(self) -> None:
        records = [
            record("www", value, SetIdentifier=region, Region=region, HealthCheckId=region)
            for region, value in ((HOME, "1.1.1.1"), (STANDBY, "1.1.1.2"), ("eu-west-1", "1.1.1.3"))
        ]
        assert values(World((zone(*records),)), "www", near=NEAR_STANDBY) == {"1.1.1.2": 1}
        lost = World((zone(*records),), {STANDBY: False})
        assert values(lost, "www", near=NEAR_STANDBY) == {"1.1.1.1": 1}

    @pytest.mark.parametrize(
        ("primary", "secondary", "expected"),
        [(True, True, "1.1.1.1"), (False, True, "1.1.1.2"), (False, False, "1.1.1.1"), (True, False, "1.1.1.1")],
    )
    def test_failover(self, primary: bool, secondary: bool, expected: str) -> None:
        records = [
            record("www", "1.1.1.2", SetIdentifier="s", Failover="SECONDARY", HealthCheckId="s"),
            record("www", "1.1.1.1", SetIdentifier="p", Failover="PRIMARY", HealthCheckId="p"),
        ]
        assert values(World((zone(*records),), {"p": primary, "s": secondary}), "www") == {expected: 1}

    def test_multivalue_gives_all_healthy_ones_and_eight_at_most(self) -> None:
        records = [
            record("www", f"1.1.1.{n}", SetIdentifier=str(n), MultiValueAnswer=True, HealthCheckId=str(n))
            for n in range(1, 4)
        ]
        assert values(World((zone(*records),), {"2": False}), "www") == {"1.1.1.1 1.1.1.3": 1}
        many = [record("www", f"1.1.1.{n}", SetIdentifier=str(n), MultiValueAnswer=True) for n in range(1, 11)]
        assert {len(text.split()) for text in values(World((zone(*many),)), "www")} == {8}

    def test_a_name_that_is_not_there_and_a_type_that_is_not_there_are_told_apart(self) -> None:
        world_ = World((zone(record("a.b", "1.1.1.1"), record("*.wild", "1.1.1.9", ttl=5)),))
        assert values(world_, "nothing") == {"NXDOMAIN": 1}
        assert values(world_, "b") == {"NOERROR": 1}, "it stands above a name that is there"
        assert values(world_, "a.b", "AAAA") == {"NOERROR": 1}
        ((_, answer),) = outcomes(world_, "nothing.example.com", "A", NEAR_HOME)
        assert answer.authority is not None
        assert (answer.authority.ttl, answer.authority.value) == (900, SOA), "how long to remember it"
        assert values(world_, "any.thing.wild") == {"1.1.1.9": 1}
        assert values(world_, "*.wild") == {"1.1.1.9": 1}

    def test_a_cname_is_followed_within_what_the_twin_knows(self) -> None:
        world_ = World(
            (zone(record("www", "a.example.com", "CNAME"), record("a", "1.1.1.1"), record("out", "x.org", "CNAME")),)
        )
        assert values(world_, "www") == {"a.example.com 1.1.1.1": 1}
        assert values(world_, "www", "CNAME") == {"a.example.com": 1}
        assert values(world_, "out") == {"x.org": 1}

    def test_a_balancer_has_its_own_name_and_an_alias_of_sixty_seconds(self) -> None:
        name = "orders-1.us-east-1.elb.amazonaws.com"
        balancers = {balancer_key(name): Balancer(HOME, "127.16.1.1", healthy=True)}
        world_ = World((zone(alias("www", f"dualstack.{name}", "ZELB")),), balancers=balancers)
        ((_, own),) = outcomes(world_, name, "A", NEAR_HOME)
        ((_, www),) = outcomes(world_, "WWW.Example.com", "A", NEAR_HOME)
        assert [(line.value, line.ttl) for line in (*own.lines, *www.lines)] == [("127.16.1.1", 60)] * 2
        assert www.lines[0].name == "www.example.com."
        assert outcomes(world_, f"gone-{name}", "A", NEAR_HOME) == ((ALL, Answer("NXDOMAIN")),)
        assert outcomes(world_, "example.org", "A", NEAR_HOME) == ((ALL, Answer("REFUSED")),)

    def test_what_is_not_evaluated_is_said_and_not_guessed(self) -> None:
        place = record("www", "1.1.1.1", SetIdentifier="x", GeoLocation={"CountryCode": "*"})
        circle = [alias("a", "b.example.com"), alias("b", "a.example.com")]
        assert values(World((zone(place, *circle),)), "www") == {"SERVFAIL": 1}
        assert values(World((zone(place, *circle),)), "a") == {"SERVFAIL": 1}

    def test_the_deepest_zone_answers_and_of_two_with_one_name_the_one_in_use(self) -> None:
        old = zone(id_="ZZOLD")
        new = zone(record("www", "1.1.1.1"))
        deep = Zone.read("ZDEEP", "www.example.com", [record("www", "2.2.2.2")])
        assert values(World((old, new)), "www") == {"1.1.1.1": 1}
        assert values(World((old, new, deep)), "www") == {"2.2.2.2": 1}


def template(name: str) -> Stack:
    """A file of the example, its short forms read."""

    class Loader(yaml.SafeLoader):
        pass

    Loader.add_constructor("!Ref", lambda _, node: {"Ref": node.value})
    Loader.add_constructor("!Sub", lambda _, node: {"Fn::Sub": node.value})
    document = yaml.load((TEMPLATES / name).read_text(), Loader)
    return cast(Stack, SimpleNamespace(document=document))


CHECKS, NAMES = template("checks.yaml"), template("names.yaml")


def parameters(state: State) -> dict[str, str]:
    return {
        "HostedZoneId": "ZPUBLIC",
        "Epoch": str(state.epoch),
        "NextEpoch": str(state.epoch + 1),
        "HomeBalancerDnsName": BALANCER[HOME],
        "StandbyBalancerDnsName": BALANCER[STANDBY],
        "HomeBalancerZoneId": "ZHOMEELB",
        "StandbyBalancerZoneId": "ZSTANDBYELB",
        "StandbyFleetAtMaximumAlarm": "at-maximum",
        **{f"StandbyQuiet{n}Alarm": f"quiet-{n}" for n in range(1, 5)},
    }


def states() -> list[State]:
    found = []
    for up, switch, maximum, quiet in product(
        [(HOME, STANDBY), (HOME,), (STANDBY,), ()], [None, HOME, STANDBY], [False, True], range(5)
    ):
        state = State(up=up, at_maximum=maximum, quiet_slices=quiet)
        found.append(state.taken_over(switch) if switch else state)
    return found


def test_the_examples_names_are_answered_as_the_oracle_answers_them_in_every_state() -> None:
    names = ("orders", "live.us-east-1.orders", "live.us-west-2.orders", "share.us-west-2.orders", "us-west-2.orders")
    witnesses = ("witness.us-east-1.orders", "witness.us-west-2.orders")
    for state in states():
        given, seen = parameters(state), world(state)
        health = oracle.check_states(oracle.resolved(CHECKS, given), seen)
        items = list(oracle.resolved(NAMES, {**given, **{f"{name}CheckId": name for name in health}}).values())
        expected = oracle.Zone(items, health, seen.healthy_balancers)
        balancers = {
            balancer_key(name): Balancer(region, name, name in seen.healthy_balancers)
            for region, name in BALANCER.items()
        }
        mine = World((Zone.read("ZPUBLIC", "orders.example.com", items),), health, balancers)
        for near in (NEAR_HOME, NEAR_STANDBY):
            for name in names:
                assert values(mine, name, near=near) == expected.ask(f"{name}.example.com", near=near), (state, name)
            for name in witnesses:
                told = expected.ask(f"{name}.example.com", near=near, kind="TXT")
                assert values(mine, name, "TXT", near) == told, (state, name)
        assert mine.public_name == "orders.example.com"
