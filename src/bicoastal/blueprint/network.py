"""The region's private network: subnets, routes, endpoints, and who may open a connection to whom.

Nothing here knows the other region; what crosses between them is in `peering`, all of it. Three tiers: public subnets
hold load balancers and NAT gateways, application subnets the instances, data subnets the databases, without any route
that leaves the VPC.
"""

from __future__ import annotations

from dataclasses import dataclass

from bicoastal.blueprint.address_plan import AddressPlan, declare_address_plan
from bicoastal.blueprint.data_acl import add_data_acl
from bicoastal.blueprint.endpoints import add_endpoints
from bicoastal.blueprint.flow_logs import add_flow_logs
from bicoastal.blueprint.foundation import Foundation
from bicoastal.blueprint.security_groups import add_security_groups
from bicoastal.blueprint.stack import Output, Resource, Stack
from bicoastal.blueprint.zones import AvailabilityZone, declare_zones, for_each_zone
from bicoastal.cfn.intrinsics import Commented, select
from bicoastal.spec.model import Egress, Spec

ANYWHERE = "0.0.0.0/0"
_SUBNETS = "List<AWS::EC2::Subnet::Id>"
_GROUP = "AWS::EC2::SecurityGroup::Id"


@dataclass(frozen=True)
class Network:
    """Outputs of the region's own network; lists are in the order of the zones A, B, C."""

    stack: Stack
    vpc_id: Output
    public_subnets: Output
    app_subnets: Output
    data_subnets: Output
    balancer_group: Output
    fleet_group: Output
    database_group: Output
    app_route_tables: Output
    """A list: one table for each application subnet."""
    data_route_table: Output
    """One for all data subnets: no zone of them leads anywhere else than another."""
    data_acl: Output
    app_block: Output
    """CIDR that holds the application subnets and nothing else, also those of zones to come."""
    data_block: Output
    """CIDR that holds the data subnets and nothing else."""


def network(spec: Spec, foundation: Foundation) -> Network:
    """The network stack of both regions."""
    stack = Stack(spec, "network", "VPC, subnets, routes, endpoints, security groups, flow logs.", protected=True)
    plan = declare_address_plan(stack)
    zones = declare_zones(stack)
    _declare_zone_names(stack)
    vpc = stack.add(
        "Vpc",
        "AWS::EC2::VPC",
        {"CidrBlock": plan.vpc, "EnableDnsSupport": True, "EnableDnsHostnames": True},
        comment="Its default security group cannot be emptied by CloudFormation; nothing here is ever in it.",
    )
    public = _add_subnets(stack, "Public", vpc, plan, zones)
    application = _add_subnets(stack, "Application", vpc, plan, zones)
    data = _add_subnets(stack, "Data", vpc, plan, zones)
    _add_public_routes(stack, vpc, zones, public)
    app_tables = _add_application_routes(stack, vpc, zones, application, public)
    data_table = _add_data_routes(stack, vpc, zones, data)
    acl = add_data_acl(stack, vpc, plan, zones, data)
    groups = add_security_groups(stack, vpc)
    add_endpoints(stack, foundation, vpc, zones=zones, subnets=application, tables=app_tables, group=groups.endpoints)
    add_flow_logs(stack, foundation, vpc)

    def ids(name: str, resources: list[Resource], what: str, type_: str = _SUBNETS) -> Output:
        return stack.output(name, for_each_zone(zones, [item.ref for item in resources]), what, type_=type_)

    return Network(
        stack=stack,
        vpc_id=stack.output("VpcId", vpc.ref, "The region's VPC", type_="AWS::EC2::VPC::Id"),
        public_subnets=ids("PublicSubnets", public, "Subnets of load balancers"),
        app_subnets=ids("ApplicationSubnets", application, "Subnets of instances"),
        data_subnets=ids("DataSubnets", data, "Subnets of databases"),
        balancer_group=stack.output(
            "BalancerGroup", groups.balancer.ref, "Security group of the load balancer", type_=_GROUP
        ),
        fleet_group=stack.output("FleetGroup", groups.fleet.ref, "Security group of the instances", type_=_GROUP),
        database_group=stack.output(
            "DatabaseGroup", groups.database.ref, "Security group of the databases", type_=_GROUP
        ),
        app_route_tables=ids(
            "ApplicationRouteTables", app_tables, "Route tables of the application subnets", "CommaDelimitedList"
        ),
        data_route_table=stack.output("DataRouteTable", data_table.ref, "Route table of the data subnets"),
        data_acl=stack.output("DataNetworkAcl", acl.ref, "Network ACL of the data subnets"),
        app_block=stack.output("ApplicationBlock", plan.application_block, "CIDR of the application subnets"),
        data_block=stack.output("DataBlock", plan.data_block, "CIDR of the data subnets"),
    )


def _declare_zone_names(stack: Stack) -> None:
    spec = stack.spec
    stack.chosen(
        "AvailabilityZones",
        f"zones-offering:{spec.instances.type}",
        {
            name: ",".join(f"{name}{letter}" for letter in "abc"[: region.availability_zones])
            for name, region in spec.regions.items()
        },
        f"Zones A, B, C, among those that offer {spec.instances.type}: not every zone does. Kept once chosen",
        type_="List<AWS::EC2::AvailabilityZone::Name>",
    )


def _add_subnets(
    stack: Stack, tier: str, vpc: Resource, plan: AddressPlan, zones: tuple[AvailabilityZone, ...]
) -> list[Resource]:
    block = {"Public": plan.public_subnet, "Application": plan.application_subnet, "Data": plan.data_subnet}[tier]
    return [
        stack.add(
            f"{tier}Subnet{zone.letter}",
            "AWS::EC2::Subnet",
            {
                "VpcId": vpc.ref,
                "AvailabilityZone": select(zone.index, {"Ref": "AvailabilityZones"}),
                "CidrBlock": block(zone.index),
                "MapPublicIpOnLaunch": False,
            },
            condition=zone.condition,
        )
        for zone in zones
    ]


def _add_public_routes(
    stack: Stack, vpc: Resource, zones: tuple[AvailabilityZone, ...], subnets: list[Resource]
) -> None:
    gateway = stack.add("InternetGateway", "AWS::EC2::InternetGateway", {})
    attached = stack.add(
        "InternetGatewayAttachment",
        "AWS::EC2::VPCGatewayAttachment",
        {"VpcId": vpc.ref, "InternetGatewayId": gateway.ref},
    )
    table = stack.add("PublicRouteTable", "AWS::EC2::RouteTable", {"VpcId": vpc.ref})
    stack.add(
        "PublicDefaultRoute",
        "AWS::EC2::Route",
        {"RouteTableId": table.ref, "DestinationCidrBlock": ANYWHERE, "GatewayId": gateway.ref},
        depends_on=[attached],
    )
    _associate(stack, "Public", zones, subnets, [table] * len(subnets))


def _add_application_routes(
    stack: Stack,
    vpc: Resource,
    zones: tuple[AvailabilityZone, ...],
    subnets: list[Resource],
    public: list[Resource],
) -> list[Resource]:
    """A table for each subnet, in every egress mode: changing the mode then replaces no table."""
    egress = stack.spec.egress
    tables, gateways = [], []
    for zone in zones:
        tables.append(
            stack.add(
                f"ApplicationRouteTable{zone.letter}",
                "AWS::EC2::RouteTable",
                {"VpcId": vpc.ref},
                condition=zone.condition,
            )
        )
        if egress is Egress.NAT_PER_AZ or (egress is Egress.ONE_NAT and zone.index == 0):
            gateways.append(_add_nat(stack, zone, public[zone.index]))
        if gateways:
            stack.add(
                f"ApplicationDefaultRoute{zone.letter}",
                "AWS::EC2::Route",
                {
                    "RouteTableId": tables[-1].ref,
                    "DestinationCidrBlock": ANYWHERE,
                    "NatGatewayId": gateways[-1].ref
                    if egress is Egress.NAT_PER_AZ or zone.index == 0
                    else Commented(
                        gateways[-1].ref, "The only NAT gateway: if its zone is lost, this one cannot start instances."
                    ),
                },
                condition=zone.condition,
            )
    _associate(stack, "Application", zones, subnets, tables)
    return tables


def _add_nat(stack: Stack, zone: AvailabilityZone, subnet: Resource) -> Resource:
    address = stack.add(
        f"NatAddress{zone.letter}",
        "AWS::EC2::EIP",
        {"Domain": "vpc"},
        condition=zone.condition,
        depends_on=["InternetGatewayAttachment"],
    )
    return stack.add(
        f"NatGateway{zone.letter}",
        "AWS::EC2::NatGateway",
        {"SubnetId": subnet.ref, "AllocationId": address.att("AllocationId"), "ConnectivityType": "public"},
        condition=zone.condition,
    )


def _add_data_routes(
    stack: Stack, vpc: Resource, zones: tuple[AvailabilityZone, ...], subnets: list[Resource]
) -> Resource:
    table = stack.add(
        "DataRouteTable",
        "AWS::EC2::RouteTable",
        {"VpcId": vpc.ref},
        comment="No default route and no endpoint: RDS reaches its own services by a network of its own. The one "
        "route that is added leads to the other region's application subnets (stack `peering`).",
    )
    _associate(stack, "Data", zones, subnets, [table] * len(subnets))
    return table


def _associate(
    stack: Stack, tier: str, zones: tuple[AvailabilityZone, ...], subnets: list[Resource], tables: list[Resource]
) -> None:
    for zone, subnet, table in zip(zones, subnets, tables, strict=True):
        stack.add(
            f"{tier}RouteTableAssociation{zone.letter}",
            "AWS::EC2::SubnetRouteTableAssociation",
            {"SubnetId": subnet.ref, "RouteTableId": table.ref},
            condition=zone.condition,
        )
