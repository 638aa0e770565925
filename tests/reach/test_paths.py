"""A connection that can be, and the one obstacle that each thing that is taken away becomes."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bicoastal.reach.model import INTERNET, Acl, Internet, Leads, NatGateway, Network, Peering, Ports, Route, Side
from bicoastal.reach.paths import connection, from_internet, to_internet, way_to_internet
from bicoastal.reach.verdict import Barrier, Verdict
from tests.support.networks import (
    ANYWHERE,
    APP,
    EAST,
    HTTPS,
    POSTGRES,
    WEST,
    balancer,
    changed,
    database,
    entry,
    instance,
    network,
    open_acl,
    rule,
    tcp,
    with_routes,
    with_rules,
)


def stopped_by(verdict: Verdict) -> list[tuple[Barrier, str]]:
    return [(obstacle.barrier, obstacle.resource) for obstacle in verdict.obstacles]


def west_writes(of: Network) -> Verdict:
    return connection(of, instance("w"), database("e"), POSTGRES)


def test_what_is_in_place_connects_and_says_by_what() -> None:
    assert connection(network(), balancer(), instance(), APP).passes == ("sg-balancer-e", "acl-open-e", "sg-app-e")
    assert connection(network(), instance(), database(), POSTGRES).allowed
    assert west_writes(network()).passes == (
        "sg-app-w", "rtb-app-w", "pcx-1", "acl-open-w", "acl-data-e", "sg-data-e", "rtb-data-e",
    )  # fmt: skip
    assert connection(network(), INTERNET, balancer(), HTTPS).allowed
    assert connection(network(), instance(), INTERNET, HTTPS).passes[-3:] == ("nat-e", "rtb-public-e", "igw-e")
    assert connection(network(), INTERNET, INTERNET, HTTPS).allowed


@pytest.mark.parametrize("port", [APP - 1, APP + 1, 22])
def test_another_port_is_stopped_on_both_sides(port: int) -> None:
    found = connection(network(), balancer(), instance(), port)
    assert stopped_by(found) == [(Barrier.EGRESS, "sg-balancer-e"), (Barrier.INGRESS, "sg-app-e")]


def test_a_group_without_the_rule_is_named() -> None:
    blocked = with_rules(network(), EAST, "sg-app-e", rule(tcp(HTTPS), egress=True, block="0.0.0.0/0"))
    found = connection(blocked, balancer(), instance(), APP)
    assert stopped_by(found) == [(Barrier.INGRESS, "sg-app-e")]
    assert found.why == (
        "security group sg-app-e of i-e: no inbound rule for tcp/8080 from alb-e (sg-balancer-e, 10.10.0.0/24)"
    )


def test_a_rule_for_another_protocol_or_a_smaller_block_admits_nothing() -> None:
    for wrong in (
        rule(Ports("udp", APP, APP), group="sg-balancer-e"),
        rule(tcp(APP), block="10.10.0.0/25"),
        rule(tcp(APP), block="2001:db8::/32"),
    ):
        found = connection(with_rules(network(), EAST, "sg-app-e", wrong), balancer(), instance(), APP)
        assert stopped_by(found) == [(Barrier.INGRESS, "sg-app-e")], "only half of the subnet, or none of it"
    whole = with_rules(network(), EAST, "sg-app-e", rule(Ports("-1"), block="10.10.0.0/16"))
    assert connection(whole, balancer(), instance(), APP).allowed


def test_a_group_that_lets_itself_in_lets_its_members_in() -> None:
    itself = with_rules(
        network(), EAST, "sg-app-e", rule(tcp(APP), group="sg-app-e"), rule(tcp(APP), egress=True, group="sg-app-e")
    )
    other = replace(instance(), name="i-other", address=ip_network("10.10.1.9/32"))
    assert connection(itself, instance(), other, APP).allowed
    assert not connection(itself, instance(), replace(other, groups=("sg-data-e",)), APP).allowed


def test_any_group_of_several_may_admit_and_none_admits_nothing() -> None:
    two = replace(instance(), groups=("sg-data-e", "sg-app-e"))
    assert connection(network(), balancer(), two, APP).allowed
    bare = replace(instance(), groups=())
    found = connection(network(), balancer(), bare, APP)
    assert stopped_by(found) == [(Barrier.EGRESS, "sg-balancer-e"), (Barrier.INGRESS, "i-e")]
    assert found.obstacles[1].text == "i-e has no security group"


def test_a_group_of_the_other_region_is_never_meant() -> None:
    by_group = with_rules(network(), EAST, "sg-data-e", rule(tcp(POSTGRES), group="sg-app-w"))
    found = west_writes(by_group)
    assert stopped_by(found) == [(Barrier.INGRESS, "sg-data-e")]
    assert "holds within a region only" in found.why


def test_a_group_of_a_peered_vpc_of_the_same_region_is_meant() -> None:
    near = network().regions[EAST]
    far = network().regions[WEST]
    one = replace(
        near,
        vpcs={**near.vpcs, **far.vpcs},
        subnets={**near.subnets, **far.subnets},
        tables={**near.tables, **far.tables},
        acls={**near.acls, **far.acls},
        groups={**near.groups, **far.groups},
    )
    peering = Peering("pcx-1", "active", (Side(EAST, "vpc-e"), Side(EAST, "vpc-w")))
    joined = with_rules(
        Network({EAST: one}, {"pcx-1": peering}), EAST, "sg-data-e", rule(tcp(POSTGRES), group="sg-app-w")
    )
    assert connection(joined, replace(instance("w"), region=EAST), database("e"), POSTGRES).allowed


def test_peering_without_a_return_route_is_stopped_on_the_way_back() -> None:
    found = west_writes(with_routes(network(), EAST, "rtb-data-e"))
    assert stopped_by(found) == [(Barrier.RETURN_ROUTE, "rtb-data-e")]
    assert found.why == "route table rtb-data-e of subnet-data-e has no route back to 10.20.1.7/32"


def test_peering_without_a_route_there_goes_where_the_default_route_leads() -> None:
    found = west_writes(with_routes(network(), WEST, "rtb-app-w", Route(Leads.NAT, "nat-w", ANYWHERE)))
    assert stopped_by(found) == [(Barrier.ROUTE, "rtb-app-w")]
    assert found.why.endswith("leads 10.10.2.0/24 to NAT gateway nat-w, not to vpc-e")


@pytest.mark.parametrize(
    "peering",
    [
        None,
        Peering("pcx-1", "pending-acceptance", (Side(EAST, "vpc-e"), Side(WEST, "vpc-w"))),
        Peering("pcx-1", "deleted", (Side(EAST, "vpc-e"), Side(WEST, "vpc-w"))),
        Peering("pcx-1", "active", (Side(EAST, "vpc-e"), Side(WEST, "vpc-other"))),
    ],
)
def test_a_peering_connection_must_be_active_and_of_these_two(peering: Peering | None) -> None:
    found = west_writes(replace(network(), peerings={"pcx-1": peering} if peering else {}))
    assert {(item.barrier, item.resource) for item in found.obstacles} == {(Barrier.PEERING, "pcx-1")}


def test_the_most_specific_route_is_taken_be_it_a_black_hole() -> None:
    lost = Route(Leads.NAT, "nat-gone", ip_network("10.10.2.0/24"), active=False)
    found = west_writes(
        with_routes(network(), WEST, "rtb-app-w", *network().regions[WEST].tables["rtb-app-w"].routes, lost)
    )
    assert stopped_by(found) == [(Barrier.ROUTE, "rtb-app-w")]
    assert "into a black hole" in found.why


def test_an_acl_needs_entries_for_the_answers() -> None:
    entries = network().regions[EAST].acls["acl-data-e"].entries
    deaf = Acl("acl-data-e", tuple(item for item in entries if not item.egress))
    found = connection(changed(network(), EAST, acls={"acl-data-e": deaf}), instance(), database(), POSTGRES)
    assert stopped_by(found) == [(Barrier.RETURN_ACL, "acl-data-e")]
    assert "does not let answers tcp/32768-60999 out to 10.10.1.7/32" in found.why


def test_the_lowest_number_of_an_acl_decides() -> None:
    entries = network().regions[EAST].acls["acl-data-e"].entries
    denied = Acl("acl-data-e", (*entries, entry(50, tcp(POSTGRES), "10.10.1.0/24", egress=False, allow=False)))
    late = Acl("acl-data-e", (*entries, entry(500, tcp(POSTGRES), "10.10.1.0/24", egress=False, allow=False)))
    found = connection(changed(network(), EAST, acls={"acl-data-e": denied}), instance(), database(), POSTGRES)
    assert stopped_by(found) == [(Barrier.ACL, "acl-data-e")]
    assert "entry 50 denies it" in found.why
    assert connection(changed(network(), EAST, acls={"acl-data-e": late}), instance(), database(), POSTGRES).allowed


def test_all_ports_of_the_answers_have_to_pass() -> None:
    def answers(*ranges: tuple[int, int]) -> Verdict:
        asks = entry(100, tcp(POSTGRES), "10.10.0.0/16", egress=False)
        some = [entry(100 + i, tcp(*part), "10.10.0.0/16", egress=True) for i, part in enumerate(ranges)]
        acl = Acl("acl-data-e", (asks, *some))
        return connection(changed(network(), EAST, acls={"acl-data-e": acl}), instance(), database(), POSTGRES)

    assert answers((32768, 60999)).allowed
    assert answers((40000, 60999), (1024, 39999)).allowed, "together they are all"
    assert not answers((40000, 60999)).allowed
    assert not answers((32768, 40000), (40002, 65535)).allowed, "one is missing"


def test_within_a_subnet_no_acl_is_met() -> None:
    closed = changed(network(), EAST, acls={"acl-open-e": Acl("acl-open-e")})
    talks = with_rules(
        closed, EAST, "sg-app-e", rule(tcp(APP), group="sg-app-e"), rule(tcp(APP), egress=True, group="sg-app-e")
    )
    other = replace(instance(), name="i-other", address=ip_network("10.10.1.9/32"))
    assert connection(talks, instance(), other, APP).allowed
    assert stopped_by(connection(talks, balancer(), instance(), APP))[-1] == (Barrier.RETURN_ACL, "acl-open-e")


def test_from_the_internet_everything_must_be_public() -> None:
    assert from_internet(network(), balancer(public=False), HTTPS).met(Barrier.PUBLIC_ADDRESS)
    detached = changed(network(), EAST, internet_gateways={"igw-e": ""})
    assert stopped_by(from_internet(detached, balancer(), HTTPS)) == [(Barrier.INTERNET_GATEWAY, "igw-e")]
    private = with_routes(network(), EAST, "rtb-public-e")
    assert stopped_by(from_internet(private, balancer(), HTTPS)) == [(Barrier.RETURN_ROUTE, "rtb-public-e")]
    office = with_rules(network(), EAST, "sg-balancer-e", rule(tcp(HTTPS), block="203.0.113.0/24"))
    assert stopped_by(from_internet(office, balancer(), HTTPS)) == [(Barrier.INGRESS, "sg-balancer-e")]
    from_there = Internet("the office", ip_network("203.0.113.7/32"))
    assert from_internet(office, balancer(), HTTPS, stranger=from_there).allowed
    halves = with_rules(
        network(), EAST, "sg-balancer-e",
        rule(tcp(HTTPS), block="0.0.0.0/1"), rule(tcp(HTTPS), block="128.0.0.0/1"),
    )  # fmt: skip
    assert from_internet(halves, balancer(), HTTPS).allowed


def test_a_database_with_everything_else_open_is_kept_by_its_routes_alone() -> None:
    open_ = with_rules(network(), EAST, "sg-data-e", rule(tcp(POSTGRES), block="0.0.0.0/0"))
    open_ = changed(open_, EAST, acls={"acl-data-e": open_acl("acl-data-e")})
    assert stopped_by(from_internet(open_, database(public=True), POSTGRES)) == [(Barrier.RETURN_ROUTE, "rtb-data-e")]
    routed = with_routes(open_, EAST, "rtb-data-e", Route(Leads.INTERNET, "igw-e", ANYWHERE))
    assert from_internet(routed, database(public=True), POSTGRES).allowed
    assert stopped_by(from_internet(routed, database(), POSTGRES)) == [(Barrier.PUBLIC_ADDRESS, "db-e")]


@pytest.mark.parametrize(
    ("gateway", "barrier"),
    [
        (None, Barrier.NAT),
        (NatGateway("nat-e", "subnet-public-e", "deleted", True), Barrier.NAT),
        (NatGateway("nat-e", "subnet-public-e", "available", False), Barrier.NAT),
        (NatGateway("nat-e", "subnet-data-e", "available", True), Barrier.ROUTE),
    ],
)
def test_nat_must_be_available_public_and_in_a_public_subnet(gateway: NatGateway | None, barrier: Barrier) -> None:
    broken = changed(network(), EAST, nat_gateways={"nat-e": gateway})
    found = to_internet(broken, instance(), HTTPS)
    assert found.met(barrier)
    assert way_to_internet(broken.regions[EAST], broken.regions[EAST].subnets["subnet-app-e"]) is None


def test_the_acl_of_the_nat_gateways_subnet_is_met_too() -> None:
    closed = changed(network(), EAST, acls={"acl-public": Acl("acl-public")})
    public = replace(closed.regions[EAST].subnets["subnet-public-e"], acl="acl-public")
    found = to_internet(changed(closed, EAST, subnets={public.id: public}), instance(), HTTPS)
    assert {item.resource for item in found.obstacles} == {"acl-public"}


def test_an_internet_gateway_takes_only_who_has_a_public_address() -> None:
    public = replace(instance(), subnet="subnet-public-e", address=ip_network("10.10.0.7/32"))
    assert stopped_by(to_internet(network(), public, HTTPS)) == [(Barrier.PUBLIC_ADDRESS, "i-e")]
    assert to_internet(network(), replace(public, public=True), HTTPS).allowed


def test_what_routes_make_of_subnets() -> None:
    east = network().regions[EAST]
    kinds = {id_: way_to_internet(east, item) for id_, item in east.subnets.items()}
    assert kinds == {"subnet-public-e": Leads.INTERNET, "subnet-app-e": Leads.NAT, "subnet-data-e": None}


@given(st.sampled_from(["sg-app-e", "sg-data-e"]), st.integers(0, 65535), st.booleans())
def test_a_rule_more_never_stops_what_was_allowed(group: str, port: int, egress: bool) -> None:
    rules = network().regions[EAST].groups[group].rules
    more = with_rules(network(), EAST, group, *rules, rule(tcp(port), egress=egress, block="10.0.0.0/8"))
    for source, destination, asked in (
        (balancer(), instance(), APP),
        (instance(), database(), POSTGRES),
        (instance("w"), database(), POSTGRES),
        (instance(), database(), port),
    ):
        before, after = (connection(of, source, destination, asked) for of in (network(), more))
        assert set(stopped_by(after)) <= set(stopped_by(before))
