"""A peering connection carries nothing unless both sides have routes into it."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.cfn.deployment import Resource
from bicoastal.cfn.values import Unknown, Value
from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.model.network import contains
from bicoastal.review.rule import CannotTell, Hit, Rule, Seen

PEERING = "AWS::EC2::VPCPeeringConnection"
RULE = Rule(
    "peering-without-return-route",
    Severity.ERROR,
    "A peering connection has routes on one side only",
    "Packets get there and their answers do not come back: every connection times out.",
    "Add a route to the other VPC's block in the route tables of the side that has none.",
    (PEERING,),
    "https://docs.aws.amazon.com/vpc/latest/peering/vpc-peering-routing.html",
)


def look(case: Case) -> Iterator[Seen]:
    """Each route into a connection leads to addresses whose own routes lead back to where it starts."""
    for peering in case.deployment.of_type(PEERING):
        ends = [case.deployment.resource(peering.get(name)) for name in ("VpcId", "PeerVpcId")]
        if any(end is None or end.type != "AWS::EC2::VPC" for end in ends):
            yield CannotTell(peering, f"One of the VPCs that {peering.logical_id} joins is not among these templates.")
            continue
        routes = [item for item in case.deployment.referring(peering, "AWS::EC2::Route") if _leads(case, item, peering)]
        unknown = [item for item in routes if isinstance(item.get("DestinationCidrBlock"), Unknown)]
        if unknown:
            yield CannotTell(unknown[0], "Which addresses it leads to is not known.", ("DestinationCidrBlock",))
            continue
        yield from _sides(case, peering, [end for end in ends if end is not None], routes)


def _leads(case: Case, route: Resource, peering: Resource) -> bool:
    return case.deployment.resource(route.get("VpcPeeringConnectionId")) is peering


def _sides(case: Case, peering: Resource, ends: list[Resource], routes: list[Resource]) -> Iterator[Seen]:
    if not routes:
        yield Hit(peering, f"No route table leads into {peering.logical_id}.")
        return
    for route in routes:
        start = _vpc(case, route)
        others = [end for end in ends if end is not start]
        if start is None or len(others) != 1:
            continue
        there, destination = others[0], route.get("DestinationCidrBlock")
        if not _overlap(there.get("CidrBlock"), destination):
            text = f"{route.logical_id} leads {destination} into {peering.logical_id}"
            yield Hit(route, f"{text}, and {there.logical_id} has {there.get('CidrBlock')}.", ("DestinationCidrBlock",))
            continue
        back = _back(case, peering, route, start, there)
        if not back:
            text = f"{route.logical_id} leads {destination} from {start.region} to {there.region}"
            yield Hit(route, f"{text}, and no route of {there.logical_id} leads back to {start.get('CidrBlock')}.")


def _back(case: Case, peering: Resource, route: Resource, start: Resource, there: Resource) -> bool:
    """Whether some subnet that the route leads to has a route back to some subnet that it leads from."""
    table = case.deployment.resource(route.get("RouteTableId"))
    near = [one.cidr for one in case.network(start.region).subnets if one.table is table] or [start.get("CidrBlock")]
    destination = route.get("DestinationCidrBlock")
    far = [one for one in case.network(there.region).subnets if one.vpc is there and _overlap(one.cidr, destination)]
    found = [item for one in far for item in one.routes if item.target is peering]
    return not far or any(_overlap(item.destination, cidr) for item in found for cidr in near)


def _vpc(case: Case, route: Resource) -> Resource | None:
    table = case.deployment.resource(route.get("RouteTableId"))
    return case.deployment.resource(table.get("VpcId")) if table is not None else None


def _overlap(one: Value, other: Value) -> bool:
    unknown = not isinstance(one, str) or not isinstance(other, str)
    return unknown or contains(one, other) or contains(other, one)
