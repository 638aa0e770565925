"""A region's networks from what EC2's Describe actions answer: those of the API's words that `model` has a place for.

Answers are plain mappings as boto3 gives them, by the name of their list. No call is made here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import ip_network
from typing import Any

from bicoastal.reach.model import (
    Acl,
    AclEntry,
    Block,
    Endpoint,
    Group,
    Leads,
    NatGateway,
    Peering,
    Ports,
    PrefixList,
    Region,
    Route,
    RouteTable,
    Rule,
    Side,
    Subnet,
    Vpc,
)

Json = Any
Answers = Mapping[str, Iterable[Json]]

LISTS: Mapping[str, str] = {
    "Vpcs": "describe_vpcs",
    "Subnets": "describe_subnets",
    "RouteTables": "describe_route_tables",
    "NetworkAcls": "describe_network_acls",
    "SecurityGroups": "describe_security_groups",
    "VpcPeeringConnections": "describe_vpc_peering_connections",
    "VpcEndpoints": "describe_vpc_endpoints",
    "NatGateways": "describe_nat_gateways",
    "InternetGateways": "describe_internet_gateways",
}
"""What `region` and `peerings` read: the list in an answer, and who gives it. `PrefixLists` may be added."""

_PROTOCOLS = {"1": "icmp", "6": "tcp", "17": "udp", "all": "-1"}


def region(name: str, answers: Answers) -> Region:
    """The networks of a region. A list that is not there counts as empty."""

    def of(list_: str) -> Iterable[Json]:
        return answers.get(list_, ())

    mains = _mains(of("RouteTables"))
    tables = {at["SubnetId"]: item["RouteTableId"] for item in of("RouteTables") for at in _subnets_of(item)}
    acls = {at["SubnetId"]: item["NetworkAclId"] for item in of("NetworkAcls") for at in _subnets_of(item)}
    defaults = {item["VpcId"]: item["NetworkAclId"] for item in of("NetworkAcls") if item.get("IsDefault")}
    return Region(
        name,
        vpcs={item["VpcId"]: Vpc(item["VpcId"], _vpc_blocks(item)) for item in of("Vpcs")},
        subnets={
            item["SubnetId"]: Subnet(
                item["SubnetId"],
                item["VpcId"],
                item["AvailabilityZone"],
                ip_network(item["CidrBlock"]),
                tables.get(item["SubnetId"], mains.get(item["VpcId"], "")),
                acls.get(item["SubnetId"], defaults.get(item["VpcId"], "")),
            )
            for item in of("Subnets")
        },
        tables={item["RouteTableId"]: _table(item) for item in of("RouteTables")},
        acls={item["NetworkAclId"]: _acl(item) for item in of("NetworkAcls")},
        groups={item["GroupId"]: _group(item) for item in of("SecurityGroups")},
        nat_gateways={item["NatGatewayId"]: _nat_gateway(item) for item in of("NatGateways")},
        internet_gateways={item["InternetGatewayId"]: _attached_to(item) for item in of("InternetGateways")},
        endpoints={item["VpcEndpointId"]: _endpoint(item) for item in of("VpcEndpoints")},
        prefix_lists={item["PrefixListId"]: _prefix_list(item) for item in of("PrefixLists")},
    )


def peerings(answers: Iterable[Answers]) -> dict[str, Peering]:
    """The peering connections of all regions' answers: each side may tell of the same one."""
    return {
        item["VpcPeeringConnectionId"]: Peering(
            item["VpcPeeringConnectionId"],
            item["Status"]["Code"],
            (_side(item["RequesterVpcInfo"]), _side(item["AccepterVpcInfo"])),
        )
        for answer in answers
        for item in answer.get("VpcPeeringConnections", ())
    }


def named_prefix_lists(answers: Answers) -> set[str]:
    """Ids of the prefix lists that rules of groups name: what is in them decides then."""
    return {
        named["PrefixListId"]
        for group in answers.get("SecurityGroups", ())
        for permission in (*group.get("IpPermissions", ()), *group.get("IpPermissionsEgress", ()))
        for named in permission.get("PrefixListIds", ())
    }


def _mains(tables: Iterable[Json]) -> dict[str, str]:
    return {
        item["VpcId"]: item["RouteTableId"]
        for item in tables
        if any(association.get("Main") for association in item.get("Associations", ()))
    }


def _subnets_of(item: Json) -> Iterable[Json]:
    return (association for association in item.get("Associations", ()) if association.get("SubnetId"))


def _vpc_blocks(item: Json) -> tuple[Block, ...]:
    more = [
        association["CidrBlock"]
        for association in item.get("CidrBlockAssociationSet", ())
        if association["CidrBlockState"]["State"] == "associated"
    ]
    return tuple(ip_network(block) for block in dict.fromkeys([item["CidrBlock"], *more]))


def _table(item: Json) -> RouteTable:
    return RouteTable(item["RouteTableId"], tuple(_route(route) for route in item.get("Routes", ())))


def _route(item: Json) -> Route:
    leads, target = _target(item)
    block = item.get("DestinationCidrBlock") or item.get("DestinationIpv6CidrBlock")
    return Route(
        leads,
        target,
        ip_network(block) if block else None,
        item.get("DestinationPrefixListId", ""),
        item.get("State", "active") == "active",
    )


def _target(item: Json) -> tuple[Leads, str]:
    gateway = item.get("GatewayId", "")
    if gateway == "local":
        return Leads.LOCAL, gateway
    if gateway.startswith("igw-"):
        return Leads.INTERNET, gateway
    if gateway.startswith("vpce-"):
        return Leads.ENDPOINT, gateway
    if item.get("NatGatewayId"):
        return Leads.NAT, item["NatGatewayId"]
    if item.get("VpcPeeringConnectionId"):
        return Leads.PEERING, item["VpcPeeringConnectionId"]
    others = ("NetworkInterfaceId", "TransitGatewayId", "EgressOnlyInternetGatewayId", "LocalGatewayId")
    return Leads.OTHER, gateway or next((item[name] for name in others if item.get(name)), "unknown")


def _acl(item: Json) -> Acl:
    entries = [
        AclEntry(
            entry["RuleNumber"],
            entry["Egress"],
            entry["RuleAction"] == "allow",
            _ports(entry["Protocol"], *_range(entry.get("PortRange") or {})),
            ip_network(entry.get("CidrBlock") or entry["Ipv6CidrBlock"]),
        )
        for entry in item.get("Entries", ())
    ]
    return Acl(item["NetworkAclId"], tuple(sorted(entries, key=lambda entry: (entry.egress, entry.number))))


def _group(item: Json) -> Group:
    directions = ((False, "IpPermissions"), (True, "IpPermissionsEgress"))
    rules = [
        rule
        for egress, name in directions
        for permission in item.get(name, ())
        for rule in _rules(permission, egress=egress)
    ]
    return Group(item["GroupId"], item.get("VpcId", ""), tuple(rules))


def _rules(item: Json, *, egress: bool) -> Iterable[Rule]:
    ports = _ports(item["IpProtocol"], item.get("FromPort"), item.get("ToPort"))
    for peer in item.get("IpRanges", ()):
        yield Rule(egress, ports, block=ip_network(peer["CidrIp"], strict=False))
    for peer in item.get("Ipv6Ranges", ()):
        yield Rule(egress, ports, block=ip_network(peer["CidrIpv6"], strict=False))
    for peer in item.get("UserIdGroupPairs", ()):
        yield Rule(egress, ports, group=peer["GroupId"])
    for peer in item.get("PrefixListIds", ()):
        yield Rule(egress, ports, prefix_list=peer["PrefixListId"])


def _ports(protocol: str, first: int | None, last: int | None) -> Ports:
    """Every port where none is given, and where EC2 writes -1."""
    name = _PROTOCOLS.get(protocol, protocol)
    if name == "-1" or first is None or last is None or first < 0:
        return Ports(name)
    return Ports(name, first, last)


def _range(item: Json) -> tuple[int | None, int | None]:
    return item.get("From"), item.get("To")


def _nat_gateway(item: Json) -> NatGateway:
    public = item.get("ConnectivityType", "public") == "public"
    return NatGateway(item["NatGatewayId"], item.get("SubnetId", ""), item["State"], public)


def _attached_to(item: Json) -> str:
    for attachment in item.get("Attachments", ()):
        if attachment.get("State") in ("available", "attached"):
            return str(attachment["VpcId"])
    return ""


def _endpoint(item: Json) -> Endpoint:
    return Endpoint(
        item["VpcEndpointId"],
        item["VpcId"],
        item["ServiceName"],
        item.get("VpcEndpointType") == "Interface",
        item.get("State", "available").lower(),
        item.get("PrivateDnsEnabled", False),
        tuple(item.get("SubnetIds", ())),
        tuple(group["GroupId"] for group in item.get("Groups", ())),
    )


def _prefix_list(item: Json) -> PrefixList:
    blocks = tuple(ip_network(block) for block in item.get("Cidrs", ()))
    return PrefixList(item["PrefixListId"], item.get("PrefixListName", ""), blocks)


def _side(item: Json) -> Side:
    return Side(item.get("Region", ""), item.get("VpcId", ""))
