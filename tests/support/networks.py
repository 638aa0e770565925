"""A small network of two regions with everything in place, to take one thing away from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

from bicoastal.reach.model import (
    LINUX,
    Acl,
    AclEntry,
    Endpoint,
    Group,
    Interface,
    Leads,
    NatGateway,
    Network,
    Peering,
    Ports,
    Region,
    Route,
    RouteTable,
    Rule,
    Side,
    Subnet,
    Vpc,
)

EAST, WEST = "us-east-1", "us-west-2"
ANYWHERE = ip_network("0.0.0.0/0")
HTTPS, APP, POSTGRES = 443, 8080, 5432


def tcp(port: int, last: int | None = None) -> Ports:
    return Ports("tcp", port, port if last is None else last)


def rule(ports: Ports, *, egress: bool = False, block: str = "", group: str = "", prefix_list: str = "") -> Rule:
    return Rule(egress, ports, ip_network(block) if block else None, group, prefix_list)


def entry(number: int, ports: Ports, block: str, *, egress: bool, allow: bool = True) -> AclEntry:
    return AclEntry(number, egress, allow, ports, ip_network(block))


def open_acl(id_: str) -> Acl:
    every = Ports("-1")
    return Acl(id_, tuple(entry(100, every, "0.0.0.0/0", egress=egress) for egress in (False, True)))


def region(name: str, number: int, other: int) -> Region:
    """A VPC 10.NUMBER.0.0/16 with a public, an application and a data subnet; its far side is 10.OTHER.0.0/16."""
    side = "e" if name == EAST else "w"
    data = Acl(
        f"acl-data-{side}",
        (
            entry(100, tcp(POSTGRES), f"10.{number}.0.0/16", egress=False),
            entry(110, tcp(POSTGRES), f"10.{other}.0.0/16", egress=False),
            entry(100, tcp(1024, 65535), f"10.{number}.0.0/16", egress=True),
            entry(110, tcp(1024, 65535), f"10.{other}.0.0/16", egress=True),
        ),
    )
    peer = Route(Leads.PEERING, "pcx-1", ip_network(f"10.{other}.0.0/16"))
    tables = (
        RouteTable(f"rtb-public-{side}", (Route(Leads.INTERNET, f"igw-{side}", ANYWHERE),)),
        RouteTable(f"rtb-app-{side}", (Route(Leads.NAT, f"nat-{side}", ANYWHERE), peer)),
        RouteTable(f"rtb-data-{side}", (peer,)),
    )
    subnets = (
        subnet(side, "public", f"10.{number}.0.0/24", f"acl-open-{side}"),
        subnet(side, "app", f"10.{number}.1.0/24", f"acl-open-{side}"),
        subnet(side, "data", f"10.{number}.2.0/24", f"acl-data-{side}"),
    )
    groups = (
        Group(
            f"sg-balancer-{side}",
            f"vpc-{side}",
            (
                rule(tcp(HTTPS), block="0.0.0.0/0"),
                rule(tcp(APP), egress=True, group=f"sg-app-{side}"),
            ),
        ),
        Group(
            f"sg-app-{side}",
            f"vpc-{side}",
            (
                rule(tcp(APP), group=f"sg-balancer-{side}"),
                rule(tcp(HTTPS), egress=True, block="0.0.0.0/0"),
                rule(tcp(POSTGRES), egress=True, group=f"sg-data-{side}"),
                rule(tcp(POSTGRES), egress=True, block=f"10.{other}.2.0/24"),
            ),
        ),
        Group(
            f"sg-data-{side}",
            f"vpc-{side}",
            (rule(tcp(POSTGRES), group=f"sg-app-{side}"), rule(tcp(POSTGRES), block=f"10.{other}.1.0/24")),
        ),
    )
    return Region(
        name,
        vpcs=_by_id([Vpc(f"vpc-{side}", (ip_network(f"10.{number}.0.0/16"),))]),
        subnets=_by_id(subnets),
        tables=_by_id(tables),
        acls=_by_id([open_acl(f"acl-open-{side}"), data]),
        groups=_by_id(groups),
        nat_gateways=_by_id([NatGateway(f"nat-{side}", f"subnet-public-{side}", "available", True)]),
        internet_gateways={f"igw-{side}": f"vpc-{side}"},
    )


def subnet(side: str, tier: str, block: str, acl: str) -> Subnet:
    return Subnet(f"subnet-{tier}-{side}", f"vpc-{side}", f"zone-{side}", ip_network(block), f"rtb-{tier}-{side}", acl)


def network() -> Network:
    sides = (Side(EAST, "vpc-e"), Side(WEST, "vpc-w"))
    regions = {EAST: region(EAST, 10, 20), WEST: region(WEST, 20, 10)}
    return Network(regions, {"pcx-1": Peering("pcx-1", "active", sides)})


def _by_id(items: Iterable[Any]) -> dict[str, Any]:
    return {item.id: item for item in items}


def changed(of: Network, name: str, **tables: Any) -> Network:
    """The network with things of a region replaced (by their ids), or taken away (None)."""
    was = of.regions[name]
    new: dict[str, Any] = {}
    for table, changes in tables.items():
        kept = {**getattr(was, table), **changes}
        new[table] = {id_: item for id_, item in kept.items() if item is not None}
    return replace(of, regions={**of.regions, name: replace(was, **new)})


def with_rules(of: Network, name: str, group: str, *rules: Rule) -> Network:
    return changed(of, name, groups={group: replace(of.regions[name].groups[group], rules=rules)})


def with_routes(of: Network, name: str, table: str, *routes: Route) -> Network:
    return changed(of, name, tables={table: RouteTable(table, routes)})


def instance(side: str = "e") -> Interface:
    name, number = (EAST, 10) if side == "e" else (WEST, 20)
    return Interface(
        f"i-{side}",
        name,
        f"subnet-app-{side}",
        (f"sg-app-{side}",),
        ip_network(f"10.{number}.1.7/32"),
        answers_to=LINUX,
    )


def database(side: str = "e", *, public: bool = False) -> Interface:
    name = EAST if side == "e" else WEST
    return Interface(f"db-{side}", name, f"subnet-data-{side}", (f"sg-data-{side}",), public=public)


def balancer(side: str = "e", *, public: bool = True) -> Interface:
    name = EAST if side == "e" else WEST
    return Interface(f"alb-{side}", name, f"subnet-public-{side}", (f"sg-balancer-{side}",), public=public)


def endpoint(service: str, *, interface: bool, groups: tuple[str, ...] = ()) -> Endpoint:
    return Endpoint(
        f"vpce-{service}",
        "vpc-e",
        f"com.amazonaws.{EAST}.{service}",
        interface,
        "available",
        private_names=interface,
        subnets=("subnet-app-e",) if interface else (),
        groups=groups,
    )
