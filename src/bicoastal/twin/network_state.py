"""Reads the networks of all regions through the AWS API, and what has a place in them: instances, databases, balancers.

One reading is some twelve calls for each region, side by side, of answers that are small. Nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

from bicoastal.aws.faults import aws_faults
from bicoastal.reach import described
from bicoastal.reach.model import ANY_HOST, LINUX, Interface, Network, Region
from bicoastal.twin.api import Api
from bicoastal.twin.interfaces import balancer_name, database_name, instance_name

Json = Any

_PLACES = {
    "Reservations": ("ec2", "describe_instances"),
    "DBInstances": ("rds", "describe_db_instances"),
    "LoadBalancers": ("elbv2", "describe_load_balancers"),
}
"""What has interfaces: the list in an answer, and who gives it."""
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


def read(api: Api, number: int, workers: Executor) -> State:
    """Ask everything of every region. Raises SystemFault when any of it is not answered."""
    lists = [*((name, "ec2", action) for name, action in described.LISTS.items()), *_places()]
    asked = {
        (region, name): workers.submit(_pages, api, region, name, (service, action))
        for region in api.regions
        for name, service, action in lists
    }
    with aws_faults("reading the networks' state"):
        answers = {region: _of_region(region, asked) for region in api.regions}
        for region, answer in answers.items():
            answer["PrefixLists"] = _prefix_lists(api, region, described.named_prefix_lists(answer))
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


def _places() -> Iterator[tuple[str, str, str]]:
    for name, (service, action) in _PLACES.items():
        yield name, service, action


def _pages(api: Api, region: str, name: str, call: tuple[str, str]) -> list[Json]:
    service, action = call
    client = api.client(service, region)
    if client.can_paginate(action):
        return [item for page in client.get_paginator(action).paginate() for item in page.get(name, ())]
    return list(getattr(client, action)().get(name, ()))


def _of_region(region: str, asked: Mapping[tuple[str, str], Future[list[Json]]]) -> dict[str, list[Json]]:
    return {name: future.result() for (at, name), future in asked.items() if at == region}


def _prefix_lists(api: Api, region: str, ids: set[str]) -> list[Json]:
    """Those of AWS's services, and the entries of those that somebody else made; none where no rule names any."""
    if not ids:
        return []
    found = {
        item["PrefixListId"]: item for item in _pages(api, region, "PrefixLists", ("ec2", "describe_prefix_lists"))
    }
    for id_ in ids - set(found):
        entries = api.client("ec2", region).get_managed_prefix_list_entries(PrefixListId=id_)["Entries"]
        found[id_] = {"PrefixListId": id_, "Cidrs": [entry["Cidr"] for entry in entries]}
    return list(found.values())


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
        tuple(group["GroupId"] for group in item.get("SecurityGroups", ())),
        ip_network(address) if address else None,
        public=bool(item.get("PublicIpAddress")),
        answers_to=LINUX,
    )
    return name, _known(region, [made]), f"instance {id_} is in no known subnet"


def _database(region: Region, item: Json) -> Thing:
    """In the subnet of its group that is in its zone; before it has a zone, in any."""
    id_ = item["DBInstanceIdentifier"]
    subnets = [subnet["SubnetIdentifier"] for subnet in item.get("DBSubnetGroup", {}).get("Subnets", ())]
    zone = item.get("AvailabilityZone")
    near = [id_ for id_ in subnets if id_ in region.subnets and region.subnets[id_].zone == zone]
    groups = tuple(group["VpcSecurityGroupId"] for group in item.get("VpcSecurityGroups", ()))
    public = bool(item.get("PubliclyAccessible"))
    made = [Interface(id_, region.name, subnet, groups, None, public, LINUX) for subnet in near or subnets]
    return database_name(region.name, id_), _known(region, made), f"database {id_} is in no subnet of its zone {zone}"


def _balancer(region: Region, item: Json) -> Thing:
    """A node in each of its zones, somewhere in that zone's subnet."""
    public = item.get("Scheme") == "internet-facing"
    groups = tuple(item.get("SecurityGroups", ()))
    made = [
        Interface(item["LoadBalancerName"], region.name, zone["SubnetId"], groups, None, public, ANY_HOST)
        for zone in item.get("AvailabilityZones", ())
    ]
    name = balancer_name(region.name, item["LoadBalancerArn"])
    return name, _known(region, made), f"load balancer {item['LoadBalancerName']} is in no subnet"


def _known(region: Region, made: Iterable[Interface]) -> tuple[Interface, ...]:
    """Those whose subnet the network has: the answers are not of one instant."""
    return tuple(interface for interface in made if interface.subnet in region.subnets)
