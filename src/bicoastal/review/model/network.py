"""Who can reach whom: subnets by their effective routes, and security groups as AWS evaluates them.

A subnet is public because its route table leads to an attached internet gateway, not because it is called so.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from bicoastal.cfn.deployment import Deployment, Resource
from bicoastal.cfn.values import Unknown, Value
from bicoastal.review.verdict import number

ANYWHERE = "0.0.0.0/0"


class Kind(StrEnum):
    """What a subnet's default route makes of it."""

    PUBLIC = "public"
    EGRESS = "private, with a way out"
    ISOLATED = "private, without a way out"


@dataclass(frozen=True)
class Route:
    """One route, and the resource it leads to."""

    resource: Resource
    destination: Value
    target: Resource | None
    kind: str
    """`internet`, `nat`, `peering` or `other`."""


@dataclass(frozen=True)
class Subnet:
    """A subnet with the routes that apply to it."""

    resource: Resource
    zone: str
    cidr: Value
    vpc: Resource | None
    table: Resource | None
    routes: tuple[Route, ...]
    kind: Kind

    def within(self, block: str) -> bool:
        """Whether its addresses lie in a block."""
        return contains(block, self.cidr)


@dataclass(frozen=True)
class Rule:
    """A security-group rule. `peer` is a group or a block of addresses."""

    resource: Resource
    path: tuple[str | int, ...]
    protocol: str
    first: float
    last: float
    peer: Resource | str | None


class Network:
    """The networks of one region."""

    def __init__(self, deployment: Deployment, region: str) -> None:
        self._deployment = deployment
        self.region = region

    @cached_property
    def vpcs(self) -> list[Resource]:
        """The VPCs."""
        return self._deployment.of_type("AWS::EC2::VPC", region=self.region)

    @cached_property
    def subnets(self) -> list[Subnet]:
        """Every subnet, its kind judged by its routes."""
        plain = [self._subnet(item) for item in self._deployment.of_type("AWS::EC2::Subnet", region=self.region)]
        public = {id(subnet.resource) for subnet in plain if self._default(subnet.routes, "internet")}
        return [self._with_kind(subnet, public) for subnet in plain]

    def subnet(self, value: Value) -> Subnet | None:
        """The subnet that a value leads to."""
        target = self._deployment.resource(value)
        return next((item for item in self.subnets if item.resource is target), None)

    def of_kind(self, kind: Kind) -> list[Subnet]:
        """The subnets of a kind."""
        return [item for item in self.subnets if item.kind is kind]

    @cached_property
    def tables(self) -> dict[int, tuple[Route, ...]]:
        """Routes by the identity of their route table."""
        found: dict[int, list[Route]] = {}
        for item in self._deployment.of_type("AWS::EC2::Route"):
            table = self._deployment.resource(item.get("RouteTableId"))
            if table is not None and table.region == self.region:
                found.setdefault(id(table), []).append(self._route(item))
        return {key: tuple(routes) for key, routes in found.items()}

    def _subnet(self, item: Resource) -> Subnet:
        deployment = self._deployment
        table = None
        for association in deployment.referring(item, "AWS::EC2::SubnetRouteTableAssociation"):
            table = deployment.resource(association.get("RouteTableId"))
        zone = item.get("AvailabilityZone", default=item.get("AvailabilityZoneId"))
        return Subnet(
            item,
            deployment.spelled(zone) if zone is not None else "",
            item.get("CidrBlock"),
            deployment.resource(item.get("VpcId")),
            table,
            self.tables.get(id(table), ()) if table else (),
            Kind.ISOLATED,
        )

    def _route(self, item: Resource) -> Route:
        destination = item.get("DestinationCidrBlock", default=item.get("DestinationIpv6CidrBlock"))
        for name, kind in (
            ("GatewayId", "internet"),
            ("NatGatewayId", "nat"),
            ("VpcPeeringConnectionId", "peering"),
            ("TransitGatewayId", "other"),
            ("VpcEndpointId", "other"),
            ("EgressOnlyInternetGatewayId", "other"),
        ):
            value = item.get(name)
            if value is not None:
                target = self._deployment.resource(value)
                works = kind != "internet" or self._attached(target)
                return Route(item, destination, target, kind if works else "other")
        return Route(item, destination, None, "none")

    def _attached(self, gateway: Resource | None) -> bool:
        return gateway is not None and any(
            self._deployment.resource(item.get("VpcId")) is not None
            for item in self._deployment.referring(gateway, "AWS::EC2::VPCGatewayAttachment")
        )

    def _default(self, routes: Iterable[Route], kind: str) -> Route | None:
        return next((route for route in routes if route.destination == ANYWHERE and route.kind == kind), None)

    def _with_kind(self, subnet: Subnet, public: set[int]) -> Subnet:
        kind = Kind.ISOLATED
        if id(subnet.resource) in public:
            kind = Kind.PUBLIC
        elif (route := self._default(subnet.routes, "nat")) and route.target is not None:
            home = self._deployment.resource(route.target.get("SubnetId"))
            address = self._deployment.resource(route.target.get("AllocationId"))
            if home is not None and id(home) in public and address is not None:
                kind = Kind.EGRESS
        return Subnet(subnet.resource, subnet.zone, subnet.cidr, subnet.vpc, subnet.table, subnet.routes, kind)

    # Security groups.

    def rules(self, group: Resource, *, ingress: bool) -> list[Rule]:
        """The rules of a group in a direction, wherever they are written."""
        name = "SecurityGroupIngress" if ingress else "SecurityGroupEgress"
        found = [self._rule(group, (name, index)) for index, _ in enumerate(group.items(name))]
        for item in self._deployment.referring(group, f"AWS::EC2::{name}"):
            if self._deployment.resource(item.get("GroupId")) is group:
                found.append(self._rule(item, ()))
        return found

    def _rule(self, resource: Resource, path: tuple[str | int, ...]) -> Rule:
        def of(name: str) -> Value:
            return resource.get(*path, name)

        protocol = str(of("IpProtocol"))
        every = protocol == "-1"
        first, last = number(of("FromPort")), number(of("ToPort"))
        peer: Resource | str | None = None
        for name in (
            "SourceSecurityGroupId",
            "DestinationSecurityGroupId",
            "SourcePrefixListId",
            "DestinationPrefixListId",
        ):
            value = of(name)
            if value is not None:
                peer = self._deployment.resource(value) or self._deployment.spelled(value)
        block = of("CidrIp") or of("CidrIpv6")
        if block is not None and not isinstance(block, Unknown):
            peer = self._deployment.spelled(block)
        return Rule(
            resource,
            path,
            {"6": "tcp", "17": "udp"}.get(protocol, protocol),
            0 if every or first is None else first,
            65535 if every or last is None else last,
            peer,
        )

    def opened(
        self, group: Resource, port: float, *, to: Iterable[Resource | str], ingress: bool, protocol: str = "tcp"
    ) -> Rule | None:
        """The rule of a group that lets a port through, from (to) one of the peers: groups, or blocks of addresses."""
        peers = list(to)
        for rule in self.rules(group, ingress=ingress):
            if rule.protocol in ("-1", protocol) and rule.first <= port <= rule.last:
                for peer in peers:
                    if self._covers(rule.peer, peer):
                        return rule
        return None

    def _covers(self, allowed: Resource | str | None, peer: Resource | str) -> bool:
        if isinstance(allowed, str) and isinstance(peer, str):
            return allowed == peer or contains(allowed, peer)
        return allowed is peer and allowed is not None

    def reaches(
        self,
        sources: list[Resource],
        targets: list[Resource],
        port: float,
        *,
        source_blocks: Iterable[str] = (),
        target_blocks: Iterable[str] = (),
    ) -> tuple[Rule | None, str]:
        """The rule that lets sources reach targets on a port, or None and why not; blocks are their addresses."""
        outward: list[Resource | str] = [*targets, *target_blocks, ANYWHERE]
        if not any(
            not self.rules(group, ingress=False) or self.opened(group, port, to=outward, ingress=False)
            for group in sources
        ):
            names = ", ".join(group.logical_id for group in sources) or "no security group"
            return None, f"{names} does not let port {port:g} out to it"
        for group in targets:
            rule = self.opened(group, port, to=[*sources, *source_blocks], ingress=True)
            if rule is not None:
                return rule, ""
        names = ", ".join(group.logical_id for group in targets) or "no security group"
        return None, f"{names} does not let port {port:g} in from it"


def contains(block: Value, inner: Value) -> bool:
    """Whether a block of addresses holds another one."""
    try:
        outer, small = ipaddress.ip_network(block, strict=False), ipaddress.ip_network(inner, strict=False)
    except (TypeError, ValueError):
        return False
    return outer.version == small.version and small.subnet_of(outer)  # type: ignore[arg-type]


def groups_of(deployment: Deployment, values: Iterable[Value]) -> Iterator[Resource]:
    """The security groups that a list of ids leads to."""
    for value in values:
        target = deployment.resource(value)
        if target is not None and target.type == "AWS::EC2::SecurityGroup":
            yield target
