"""The network as packets meet it: blocks, routes, rules and ACLs of both regions, from the finished templates."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from bicoastal.blueprint.foundation import foundation
from bicoastal.blueprint.network import network
from bicoastal.blueprint.peering import peering
from bicoastal.blueprint.stacks import Deployment as Written
from bicoastal.cfn.deployment import Deployment, Resource
from bicoastal.cfn.reader import parse_template
from bicoastal.cfn.values import Reference
from bicoastal.spec.model import Spec
from tests.support.specs import spec

HOME, STANDBY = "us-east-1", "us-west-2"
SUBNETS = "AWS::EC2::Subnet"


def two_regions(home: str = "10.10.0.0/16", standby: str = "10.20.0.0/16", zones: tuple[int, int] = (3, 3)) -> Any:
    """The `regions` of a spec."""
    return {
        HOME: {"role": "home", "cidr": home, "availability_zones": zones[0]},
        STANDBY: {"role": "standby", "cidr": standby, "availability_zones": zones[1]},
    }


def read_back(made: Written) -> Deployment:
    """A deployment as CloudFormation sees it: its YAML read and evaluated in each region."""
    names = [f"templates/{stack.kind}.yaml" for stack in made.stacks]
    templates = {name: parse_template(stack.to_yaml(), name) for name, stack in zip(names, made.stacks, strict=True)}
    return Deployment.of(made.manifest, templates)


def private_network(**changes: Any) -> Deployment:
    """Foundation, network and peering of both regions, for a spec with these changes."""
    return read_back(written(spec(**changes)))


def written(of: Spec) -> Written:
    """The three stacks as they are written."""
    base = foundation(of)
    net = network(of, base)
    return Written(of, (base.stack, net.stack, peering(of, net).stack))


def subnets(deployment: Deployment, region: str, tier: str) -> dict[str, IPv4Network]:
    """Zone to block of a tier's subnets: what their route tables and names have in common is their logical id."""
    return {
        str(subnet.get("AvailabilityZone")): IPv4Network(str(subnet.get("CidrBlock")))
        for subnet in deployment.of_type(SUBNETS, region=region)
        if subnet.logical_id.startswith(f"{tier}Subnet")
    }


@dataclass(frozen=True)
class Route:
    """A line of a subnet's route table."""

    destination: IPv4Network
    target: str
    """The property that names the target: `GatewayId`, `NatGatewayId`, `VpcPeeringConnectionId`."""
    to: Resource


def routes(deployment: Deployment, subnet: Resource) -> list[Route]:
    """The routes of a subnet, besides the VPC's own."""
    associations = deployment.referring(subnet, "AWS::EC2::SubnetRouteTableAssociation")
    assert len(associations) == 1, f"{subnet} must be in exactly one route table"
    table = deployment.resource(associations[0].get("RouteTableId"))
    assert table is not None
    found = []
    for route in deployment.referring(table, "AWS::EC2::Route"):
        target = next(key for key in route.properties if key not in ("RouteTableId", "DestinationCidrBlock"))
        to = deployment.resource(route.get(target))
        assert to is not None, f"{route} leads to nothing"
        found.append(Route(IPv4Network(str(route.get("DestinationCidrBlock"))), target, to))
    return found


def tier(deployment: Deployment, region: str, name: str) -> list[Resource]:
    """The subnets of a tier."""
    return [item for item in deployment.of_type(SUBNETS, region=region) if item.logical_id.startswith(f"{name}Subnet")]


def acl_admits(deployment: Deployment, region: str, *, egress: bool, other: IPv4Address, port: int) -> bool:
    """Whether the data subnets' ACL lets a packet pass: lowest number first, and nothing that no entry names."""
    entries = sorted(
        (
            entry
            for entry in deployment.of_type("AWS::EC2::NetworkAclEntry", region=region)
            if entry.get("Egress") is egress
        ),
        key=lambda entry: int(str(entry.get("RuleNumber"))),
    )
    for entry in entries:
        ports = range(int(str(entry.get("PortRange", "From"))), int(str(entry.get("PortRange", "To"))) + 1)
        if other in IPv4Network(str(entry.get("CidrBlock"))) and port in ports:
            return bool(entry.get("RuleAction") == "allow")
    return False


@dataclass(frozen=True, order=True)
class Rule:
    """One rule of a security group, seen from the group that has it."""

    group: str
    direction: str
    other: str
    """The other group's logical id, or a block."""
    port: str


def rules(deployment: Deployment, region: str) -> set[Rule]:
    """Every rule of every group, wherever it is written."""
    found = set()
    for group in deployment.of_type("AWS::EC2::SecurityGroup", region=region):
        for direction in ("Ingress", "Egress"):
            for rule in group.items(f"SecurityGroup{direction}"):
                found.add(_rule(deployment, group.logical_id, direction.lower(), rule))
    for direction in ("Ingress", "Egress"):
        for item in deployment.of_type(f"AWS::EC2::SecurityGroup{direction}", region=region):
            owner = deployment.resource(item.get("GroupId"))
            assert owner is not None
            assert owner.region == region, "a rule cannot stand in another region than its group"
            found.add(_rule(deployment, owner.logical_id, direction.lower(), item.properties))
    return found


def _rule(deployment: Deployment, group: str, direction: str, rule: Any) -> Rule:
    other = next(rule[key] for key in ("CidrIp", "SourceSecurityGroupId", "DestinationSecurityGroupId") if key in rule)
    if isinstance(other, Reference):
        resource = deployment.resource(other)
        assert resource is not None
        other = resource.logical_id
    if rule["IpProtocol"] == "-1":
        return Rule(group, direction, str(other), "all")
    assert rule["IpProtocol"] == "tcp"
    assert rule["FromPort"] == rule["ToPort"]
    return Rule(group, direction, str(other), str(rule["FromPort"]))
