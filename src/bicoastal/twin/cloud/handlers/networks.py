"""Everything of a region's networks at once, for who decides whether a connection may be.

It says what the Describe actions say, in their words, less what decides nothing: a test holds it against them. Asked
through the API it would be a dozen calls for each region, after every change.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bicoastal.twin.cloud import emulator

Json = Any
Record = dict[str, Json]


def _networks(_: Mapping[str, Json]) -> Json:
    """The lists of DescribeVpcs, DescribeSubnets, ..., and of what has a place in them."""
    emulator.of_service("ec2", "_ensure_defaults_initialized")()
    return {
        **{name: list(emulator.store("ec2", table).values()) for name, table in _AS_THEY_ARE.items()},
        "VpcPeeringConnections": _each("ec2", "_vpc_peering", _PEERING),
        "VpcEndpoints": [_endpoint(item) for item in emulator.store("ec2", "_vpc_endpoints").values()],
        "PrefixLists": _prefix_lists(),
        "Reservations": [{"Instances": _each("ec2", "_instances", _INSTANCE)}],
        "DBInstances": _each("rds", "_instances", _DATABASE),
        "LoadBalancers": [_balancer(item) for item in emulator.store("alb", "_lbs").values()],
    }


_AS_THEY_ARE = {
    "Vpcs": "_vpcs",
    "Subnets": "_subnets",
    "RouteTables": "_route_tables",
    "NetworkAcls": "_network_acls",
    "SecurityGroups": "_security_groups",
    "NatGateways": "_nat_gateways",
    "InternetGateways": "_internet_gateways",
}
"""Lists whose records have EC2's words."""
_PEERING = ("VpcPeeringConnectionId", "Status", "RequesterVpcInfo", "AccepterVpcInfo")
_INSTANCE = ("InstanceId", "State", "SubnetId", "PrivateIpAddress", "PublicIpAddress", "SecurityGroups")
_DATABASE = ("DBInstanceIdentifier", "DBSubnetGroup", "AvailabilityZone", "VpcSecurityGroups", "PubliclyAccessible")
_BALANCER = ("LoadBalancerArn", "LoadBalancerName", "Type", "Scheme", "SecurityGroups")


def _each(service: str, table: str, names: tuple[str, ...]) -> list[Record]:
    return [_picked(item, names) for item in emulator.store(service, table).values()]


def _picked(record: Record, names: tuple[str, ...]) -> Record:
    return {name: record.get(name) for name in names}


def _endpoint(record: Record) -> Record:
    return {**record, "Groups": [{"GroupId": id_} for id_ in record.get("SecurityGroupIds") or ()]}


def _balancer(record: Record) -> Record:
    zones = [{"SubnetId": id_} for id_ in record.get("Subnets") or ()]
    return {**_picked(record, _BALANCER), "AvailabilityZones": zones}


def _prefix_lists() -> list[Record]:
    managed = emulator.of_service("ec2", "_get_aws_managed_prefix_lists")()
    lists = [{**_picked(item, ("PrefixListId", "PrefixListName")), "Cidrs": [item["Cidr"]]} for item in managed]
    for item in emulator.store("ec2", "_prefix_lists").values():
        cidrs = [entry["Cidr"] for entry in item.get("Entries") or ()]
        lists.append({**_picked(item, ("PrefixListId", "PrefixListName")), "Cidrs": cidrs})
    return lists


TYPES = ()
QUESTIONS = {"ec2.networks": _networks}
