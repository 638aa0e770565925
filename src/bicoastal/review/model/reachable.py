"""Who can reach whom, from templates: the state that `reach` evaluates, built twice where values are unknown.

The *generous* network takes what is not known for open, the *strict* one for closed. What even the generous one does
not let through is blocked for certain; what the strict one lets through is open for certain; between them nobody can
tell. Ids are logical ids, with the stack where two bear the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from ipaddress import ip_network

from bicoastal.cfn.deployment import Deployment, Resource
from bicoastal.cfn.values import Unknown, Value
from bicoastal.reach.model import (
    EVERY_PORT,
    Acl,
    AclEntry,
    Block,
    End,
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
from bicoastal.reach.paths import connection, way_to_internet
from bicoastal.reach.verdict import Verdict
from bicoastal.review.verdict import number, yes

_EVERYWHERE = ip_network("0.0.0.0/0")
_HALVES = (ip_network("0.0.0.0/1"), ip_network("128.0.0.0/1"))
"""All addresses, yet more specific than a default route."""
_PROTOCOLS = {"6": "tcp", "17": "udp", "1": "icmp", "all": "-1"}
_TARGETS = (
    ("GatewayId", Leads.INTERNET),
    ("NatGatewayId", Leads.NAT),
    ("VpcPeeringConnectionId", Leads.PEERING),
)


class Reachable:
    """The networks of a deployment, as far as its templates tell."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment

    @cached_property
    def generous(self) -> Network:
        """What is not known counts as open."""
        return _Builder(self._deployment, self, unknown_is_open=True).network()

    @cached_property
    def strict(self) -> Network:
        """What is not known counts as closed."""
        return _Builder(self._deployment, self, unknown_is_open=False).network()

    def blocked(self, source: End, destination: End, port: int) -> str:
        """Why one end certainly cannot connect to the other; empty where it can, or where that cannot be told."""
        verdict = connection(self.generous, source, destination, port)
        return "" if verdict.allowed else verdict.why

    def opened(self, source: End, destination: End, port: int) -> Verdict | None:
        """How one end certainly can connect to the other; None where it cannot, or where that cannot be told."""
        verdict = connection(self.strict, source, destination, port)
        return verdict if verdict.allowed else None

    def leads_out(self, subnet: Resource) -> Leads | None:
        """What a subnet's routes certainly make of it: `INTERNET` for public, `NAT` for private with a way out."""
        region = self.strict.regions[subnet.region]
        known = region.subnets.get(self.id(subnet))
        return way_to_internet(region, known) if known else None

    def is_public(self, subnet: Resource) -> bool:
        """Whether a subnet is certainly routed to an internet gateway."""
        return self.leads_out(subnet) is Leads.INTERNET

    def interfaces(
        self, resource: Resource, subnets: Iterable[Value], groups: Iterable[Value], *, public: bool = False
    ) -> tuple[list[Interface], str]:
        """The ends that a resource has in its subnets, and why not all of them are known, or empty."""
        ids, found, unclear = [], [], ""
        for value in groups:
            group = self._deployment.resource(value)
            if group is None or group.type != "AWS::EC2::SecurityGroup":
                unclear = f"security group {self._deployment.spelled(value)} is not among these templates"
            else:
                ids.append(self.id(group))
        if not ids and not unclear:
            unclear = f"{resource.logical_id} names no security group"
        for value in subnets:
            subnet = self._deployment.resource(value)
            if subnet is None or self.id(subnet) not in self.generous.regions[resource.region].subnets:
                unclear = f"subnet {self._deployment.spelled(value)}, or its addresses, are not among these templates"
                continue
            found.append(Interface(resource.logical_id, resource.region, self.id(subnet), tuple(ids), public=public))
        return found, unclear

    @cached_property
    def _shared(self) -> frozenset[tuple[str, str]]:
        """Logical ids that stand in two stacks of a region."""
        seen: set[tuple[str, str]] = set()
        twice: set[tuple[str, str]] = set()
        for stack in self._deployment.stacks.values():
            for name in stack.resources:
                (twice if (stack.region, name) in seen else seen).add((stack.region, name))
        return frozenset(twice)

    def id(self, resource: Resource) -> str:
        """What a resource is called here."""
        twice = (resource.region, resource.logical_id) in self._shared
        return f"{resource.stack.name}/{resource.logical_id}" if twice else resource.logical_id


class _Builder:
    def __init__(self, deployment: Deployment, names: Reachable, *, unknown_is_open: bool) -> None:
        self._deployment = deployment
        self._names = names
        self._open = unknown_is_open

    def network(self) -> Network:
        """All regions, and the peering connections between their VPCs."""
        peerings = {}
        for item in self._deployment.of_type("AWS::EC2::VPCPeeringConnection"):
            own, peer = (self._target(item.get(name), item) for name in ("VpcId", "PeerVpcId"))
            region = item.get("PeerRegion", default=item.region)
            sides = (Side(item.region, own), Side(region if isinstance(region, str) else "", peer))
            peerings[self._names.id(item)] = Peering(self._names.id(item), "active", sides)
        return Network({name: self._region(name) for name in self._deployment.regions}, peerings)

    def _region(self, name: str) -> Region:
        def of(type_: str) -> list[Resource]:
            return self._deployment.of_type(f"AWS::EC2::{type_}", region=name)

        blocks: dict[str, list[Block]] = {}
        for item in of("VPC"):
            blocks[self._names.id(item)] = list(_block(item.get("CidrBlock")))
        for item in of("VPCCidrBlock"):
            blocks.setdefault(self._target(item.get("VpcId"), item), []).extend(_block(item.get("CidrBlock")))
        return Region(
            name,
            vpcs={id_: Vpc(id_, tuple(found)) for id_, found in blocks.items()},
            subnets={found.id: found for item in of("Subnet") for found in self._subnet(item)},
            tables={self._names.id(item): self._table(item) for item in of("RouteTable")},
            acls={self._names.id(item): self._acl(item) for item in of("NetworkAcl")},
            groups={self._names.id(item): self._group(item) for item in of("SecurityGroup")},
            nat_gateways={
                self._names.id(item): NatGateway(
                    self._names.id(item),
                    self._target(item.get("SubnetId"), item),
                    "available",
                    item.get("ConnectivityType") != "private",
                )
                for item in of("NatGateway")
            },
            internet_gateways={
                self._target(item.get("InternetGatewayId"), item): self._target(item.get("VpcId"), item)
                for item in of("VPCGatewayAttachment")
                if item.get("InternetGatewayId") is not None
            },
        )

    def _target(self, value: Value, item: Resource) -> str:
        """The id of what a value leads to; a text of its own for what is not here."""
        found = self._deployment.resource(value)
        return self._names.id(found) if found is not None else f"{self._deployment.spelled(value)} of {item.region}"

    def _subnet(self, item: Resource) -> Iterator[Subnet]:
        table = acl = ""
        for one in self._deployment.referring(item, "AWS::EC2::SubnetRouteTableAssociation"):
            table = self._target(one.get("RouteTableId"), one)
        for one in self._deployment.referring(item, "AWS::EC2::SubnetNetworkAclAssociation"):
            acl = self._target(one.get("NetworkAclId"), one)
        zone = self._deployment.spelled(item.get("AvailabilityZone", default=""))
        vpc = self._deployment.resource(item.get("VpcId"))
        for block in _block(item.get("CidrBlock")) if vpc is not None else ():
            yield Subnet(self._names.id(item), self._names.id(vpc), zone, block, table, acl)  # type: ignore[arg-type]

    def _table(self, table: Resource) -> RouteTable:
        found: list[Route] = []
        for item in self._deployment.referring(table, "AWS::EC2::Route"):
            here = self._deployment.resource(item.get("RouteTableId")) is table
            if not here or (item.exists is None and not self._open):
                continue
            leads, target = Leads.OTHER, ""
            for name, kind in _TARGETS:
                if item.get(name) is not None:
                    leads, target = kind, self._target(item.get(name), item)
            destination = item.get("DestinationCidrBlock", default=item.get("DestinationIpv6CidrBlock"))
            blocks = list(_block(destination))
            if not blocks and self._open and leads is Leads.PEERING:
                blocks = list(_HALVES)
            found.extend(Route(leads, target, block) for block in blocks)
        return RouteTable(self._names.id(table), tuple(found))

    def _acl(self, acl: Resource) -> Acl:
        entries = []
        for item in self._deployment.referring(acl, "AWS::EC2::NetworkAclEntry"):
            order, protocol = number(item.get("RuleNumber")), number(item.get("Protocol"))
            blocks = list(_block(item.get("CidrBlock", default=item.get("Ipv6CidrBlock"))))
            if order is None or protocol is None or not blocks:
                continue
            first, last = number(item.get("PortRange", "From")), number(item.get("PortRange", "To"))
            ports = Ports(
                "-1" if protocol == -1 else _PROTOCOLS.get(f"{protocol:.0f}", f"{protocol:.0f}"),
                int(first if first is not None else EVERY_PORT[0]),
                int(last if last is not None else EVERY_PORT[1]),
            )
            allow = item.get("RuleAction") == "allow"
            entries.append(AclEntry(int(order), yes(item.get("Egress")), allow, ports, blocks[0]))
        return Acl(self._names.id(acl), tuple(entries))

    def _group(self, group: Resource) -> Group:
        rules = [*self._rules(group, egress=False)]
        outward = [*self._rules(group, egress=True)]
        if not outward and not self._written(group, egress=True):
            outward = [Rule(True, Ports("-1"), _EVERYWHERE)]
        return Group(self._names.id(group), self._target(group.get("VpcId"), group), (*rules, *outward))

    def _written(self, group: Resource, *, egress: bool) -> list[tuple[Resource, tuple[str | int, ...]]]:
        name = "SecurityGroupEgress" if egress else "SecurityGroupIngress"
        found: list[tuple[Resource, tuple[str | int, ...]]] = []
        if isinstance(group.get(name), Unknown):
            found.append((group, (name,)))
        found.extend((group, (name, index)) for index, _ in enumerate(group.items(name)))
        for item in self._deployment.referring(group, f"AWS::EC2::{name}"):
            if self._deployment.resource(item.get("GroupId")) is group:
                found.append((item, ()))
        return found

    def _rules(self, group: Resource, *, egress: bool) -> Iterator[Rule]:
        for item, path in self._written(group, egress=egress):
            yield from self._rule(item, path, egress=egress)

    def _rule(self, item: Resource, path: tuple[str | int, ...], *, egress: bool) -> Iterator[Rule]:
        if isinstance(item.get(*path), Unknown) or item.exists is None:
            yield from self._unknown(egress=egress)
            return
        protocol = str(item.get(*path, "IpProtocol"))
        first, last = (item.get(*path, name) for name in ("FromPort", "ToPort"))
        ends = [number(end) for end in (first, last)]
        known = not any(isinstance(end, Unknown) for end in (first, last, item.get(*path, "IpProtocol")))
        if not known and not self._open:
            return
        low, high = (int(end) if end is not None else edge for end, edge in zip(ends, EVERY_PORT, strict=True))
        if protocol == "-1" or not known or low < 0:
            low, high = EVERY_PORT
        ports = Ports(_PROTOCOLS.get(protocol, protocol) if known else "-1", low, high)
        yield from self._peers(item, path, ports, egress=egress)

    def _peers(self, item: Resource, path: tuple[str | int, ...], ports: Ports, *, egress: bool) -> Iterator[Rule]:
        side = "Destination" if egress else "Source"
        for name in ("CidrIp", "CidrIpv6"):
            value = item.get(*path, name)
            blocks = list(_block(value))
            if blocks:
                yield Rule(egress, ports, blocks[0])
            elif value is not None and self._open:
                yield Rule(egress, ports, _EVERYWHERE)
        value = item.get(*path, f"{side}SecurityGroupId")
        group = self._deployment.resource(value)
        if group is not None and group.type == "AWS::EC2::SecurityGroup":
            yield Rule(egress, ports, group=self._names.id(group))
        elif value is not None and self._open:
            yield Rule(egress, ports, _EVERYWHERE)
        vague = (f"{side}PrefixListId", f"{side}SecurityGroupName")
        if self._open and any(item.get(*path, name) is not None for name in vague):
            yield Rule(egress, ports, _EVERYWHERE)

    def _unknown(self, *, egress: bool) -> Iterator[Rule]:
        if self._open:
            yield Rule(egress, Ports("-1"), _EVERYWHERE)


def _block(value: Value) -> Iterator[Block]:
    """A block of addresses, where it is known and one."""
    if isinstance(value, str):
        try:
            yield ip_network(value, strict=False)
        except ValueError:
            return
