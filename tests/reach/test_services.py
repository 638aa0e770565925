"""AWS's services: by an interface endpoint, by a gateway endpoint's route, or by their public addresses."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network

from bicoastal.reach.model import Endpoint, Leads, Network, PrefixList, Route, RouteTable
from bicoastal.reach.services import to_service
from bicoastal.reach.verdict import Barrier
from tests.support.networks import EAST, HTTPS, WEST, changed, endpoint, instance, network, rule, tcp, with_rules

LIST = "pl-storage"


def isolated() -> Network:
    """The application subnet has no way to the internet."""
    return changed(network(), EAST, tables={"rtb-app-e": RouteTable("rtb-app-e")})


def with_endpoint(of: Network, made: Endpoint) -> Network:
    return changed(of, EAST, endpoints={made.id: made})


def with_storage(of: Network) -> Network:
    """The gateway endpoint of S3, with its route."""
    routes = of.regions[EAST].tables["rtb-app-e"].routes
    route = Route(Leads.ENDPOINT, "vpce-s3", prefix_list=LIST)
    table = RouteTable("rtb-app-e", (*routes, route))
    return with_endpoint(changed(of, EAST, tables={"rtb-app-e": table}), endpoint("s3", interface=False))


def test_without_an_endpoint_by_nat_and_without_a_way_out_not_at_all() -> None:
    assert to_service(network(), instance(), EAST, "logs").allowed
    assert to_service(network(), instance(), WEST, "logs").allowed
    found = to_service(isolated(), instance(), EAST, "logs")
    assert [(item.barrier, item.resource) for item in found.obstacles] == [(Barrier.ROUTE, "rtb-app-e")]
    assert found.why == "route table rtb-app-e of subnet-app-e has no route to logs in us-east-1"


def test_an_interface_endpoint_takes_the_name_over_and_its_group_must_admit() -> None:
    admits = with_rules(isolated(), EAST, "sg-data-e", rule(tcp(HTTPS), group="sg-app-e"))
    made = endpoint("logs", interface=True, groups=("sg-data-e",))
    assert to_service(with_endpoint(admits, made), instance(), EAST, "logs").allowed
    assert not to_service(with_endpoint(admits, made), instance(), WEST, "logs").allowed, "it is of its own region"
    for of in (isolated(), network()):
        found = to_service(with_endpoint(of, made), instance(), EAST, "logs")
        assert [(item.barrier, item.resource) for item in found.obstacles] == [(Barrier.INGRESS, "sg-data-e")]
    nowhere = replace(made, subnets=())
    assert to_service(with_endpoint(network(), nowhere), instance(), EAST, "logs").met(Barrier.ENDPOINT)


def test_an_interface_endpoint_that_is_not_there_yet_or_keeps_its_name_to_itself_is_passed_by() -> None:
    made = endpoint("logs", interface=True, groups=("sg-data-e",))
    for unused in (replace(made, state="pending"), replace(made, private_names=False), replace(made, vpc="vpc-other")):
        assert to_service(with_endpoint(network(), unused), instance(), EAST, "logs").allowed
        assert to_service(with_endpoint(isolated(), unused), instance(), EAST, "logs").met(Barrier.ROUTE)


def test_a_gateway_endpoint_is_a_route_and_needs_no_other_way_out() -> None:
    found = to_service(with_storage(isolated()), instance(), EAST, "s3")
    assert found.allowed
    assert found.passes[-1] == "vpce-s3"
    of_another = replace(instance(), subnet="subnet-data-e", groups=("sg-app-e",))
    assert to_service(with_storage(isolated()), of_another, EAST, "s3").met(Barrier.ROUTE), (
        "its table has no such route"
    )
    assert to_service(with_storage(isolated()), instance(), WEST, "s3").met(Barrier.ROUTE)


def test_rules_may_name_the_services_prefix_list() -> None:
    by_list = with_rules(with_storage(isolated()), EAST, "sg-app-e", rule(tcp(HTTPS), egress=True, prefix_list=LIST))
    assert to_service(by_list, instance(), EAST, "s3").allowed
    other = with_rules(with_storage(isolated()), EAST, "sg-app-e", rule(tcp(HTTPS), egress=True, prefix_list="pl-2"))
    assert to_service(other, instance(), EAST, "s3").met(Barrier.EGRESS)
    public = {LIST: PrefixList(LIST, f"com.amazonaws.{EAST}.s3", (ip_network("198.51.100.0/24"),))}
    by_nat = with_rules(network(), EAST, "sg-app-e", rule(tcp(HTTPS), egress=True, prefix_list=LIST))
    assert to_service(changed(by_nat, EAST, prefix_lists=public), instance(), EAST, "s3").allowed, "by NAT as well"
    assert not to_service(changed(by_nat, EAST, prefix_lists=public), instance(), EAST, "sts").allowed
