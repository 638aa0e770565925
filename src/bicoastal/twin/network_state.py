"""Reads the networks of all regions as the API has them, and what has a place in them: instances, databases, balancers.

One reading is one question for each region. Nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

from bicoastal.reach import described
from bicoastal.reach.model import ANY_HOST, LINUX, Interface, Network, Region
from bicoastal.twin.api import Api
from bicoastal.twin.interfaces import balancer_name, database_name, instance_name

Json = Any
_GONE = ("terminated", "stopped")


@dataclass(frozen=True)
class State:
    """Everything at one time."""

    number: int
    """Of the API's last change before it was read."""
    network: Network
    interfaces: Mapping[str, tuple[Interface, ...]]
    """By the names of `interfaces`: a balancer has one in each of its zones, anything else has one."""
    absent: Mapping[str, str]
    """Names that the API knows and that have no interface, to why."""


def read(api: Api, number: int) -> State:
    """Ask about every region. Raises SystemFault when one is not answered."""
    answers = {region: api.report("ec2.networks", region) for region in api.regions}
    regions = {name: described.region(name, answer) for name, answer in answers.items()}
    interfaces: dict[str, tuple[Interface, ...]] = {}
    absent: dict[str, str] = {}
    for name, answer in answers.items():
        for thing, found, why in _things(regions[name], answer):
            if found:
                interfaces[thing] = found
            else:
                absent[thing] = why
    return State(number, Network(regions, described.peerings(answers.values())), interfaces, absent)


Thing = tuple[str, tuple[Interface, ...], str]


def _things(region: Region, answer: Mapping[str, Iterable[Json]]) -> Iterator[Thing]:
    for reservation in answer["Reservations"]:
        for instance in reservation["Instances"]:
            yield _instance(region, instance)
    for database in answer["DBInstances"]:
        yield _database(region, database)
    for balancer in answer["LoadBalancers"]:
        if balancer["Type"] == "application":
            yield _balancer(region, balancer)


def _instance(region: Region, item: Json) -> Thing:
    """One that is being started or ended has its interface still."""
    id_, state = item["InstanceId"], item["State"]["Name"]
    name = instance_name(region.name, id_)
    if state in _GONE or not item.get("SubnetId"):
        return name, (), f"instance {id_} is {state}"
    address = item.get("PrivateIpAddress")
    made = Interface(
        id_,
        region.name,
        item["SubnetId"],
        tuple(group["GroupId"] for group in item.get("SecurityGroups") or ()),
        ip_network(address) if address else None,
        public=bool(item.get("PublicIpAddress")),
        answers_to=LINUX,
    )
    return name, _known(region, [made]), f"instance {id_} is in no known subnet"


def _database(region: Region, item: Json) -> Thing:
    """In the subnet of its group that is in its zone; before it has a zone, in any."""
    id_ = item["DBInstanceIdentifier"]
    subnets = [subnet["SubnetIdentifier"] for subnet in (item.get("DBSubnetGroup") or {}).get("Subnets", ())]
    zone = item.get("AvailabilityZone")
    near = [id_ for id_ in subnets if id_ in region.subnets and region.subnets[id_].zone == zone]
    groups = tuple(group["VpcSecurityGroupId"] for group in item.get("VpcSecurityGroups") or ())
    public = bool(item.get("PubliclyAccessible"))
    made = [Interface(id_, region.name, subnet, groups, None, public, LINUX) for subnet in near or subnets]
    return database_name(region.name, id_), _known(region, made), f"database {id_} is in no subnet of its zone {zone}"


def _balancer(region: Region, item: Json) -> Thing:
    """A node in each of its zones, somewhere in that zone's subnet."""
    public = item.get("Scheme") == "internet-facing"
    groups = tuple(item.get("SecurityGroups") or ())
    made = [
        Interface(item["LoadBalancerName"], region.name, zone["SubnetId"], groups, None, public, ANY_HOST)
        for zone in item.get("AvailabilityZones") or ()
    ]
    name = balancer_name(region.name, item["LoadBalancerArn"])
    return name, _known(region, made), f"load balancer {item['LoadBalancerName']} is in no subnet"


def _known(region: Region, made: Iterable[Interface]) -> tuple[Interface, ...]:
    """Those whose subnet the network has: the answers are not of one instant."""
    return tuple(interface for interface in made if interface.subnet in region.subnets)
