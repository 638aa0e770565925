"""Everything that crosses between the regions by private addresses, and nothing else (M2, M6).

The connection alone carries nothing. Each declared flow adds its routes on both sides, its rules and its entries in the
data subnets' ACL, by the blocks of the tiers concerned: security groups cannot be referred to across regions. The same
template stands in both regions, so each flow works in either direction: after a failover the former home writes to
the former standby.

RDS replicates by a channel of its own and needs none of this.
"""

from __future__ import annotations

from dataclasses import dataclass

from bicoastal.blueprint import ports
from bicoastal.blueprint.data_acl import FIRST_NUMBER_OF_PEERING, add_entries
from bicoastal.blueprint.network import Network
from bicoastal.blueprint.stack import Output, Stack, Where
from bicoastal.blueprint.zones import declare_zones
from bicoastal.cfn.intrinsics import Value, equals, if_, ref, select
from bicoastal.spec.model import Flow, Spec

_CONNECTION = "AWS::EC2::VPCPeeringConnection"


@dataclass(frozen=True)
class Peering:
    """The connection, as both regions see it."""

    stack: Stack
    peering_id: Output


def peering(spec: Spec, network: Network) -> Peering:
    """The connection, asked for by the home region, and what the declared flows need of it in both.

    Without flows the standby's side would be a stack without a resource, which CloudFormation does not take: the stack
    then stands in the home region only.
    """
    writes = Flow.WRITES in spec.residency.flows
    what = "The connection between the regions' VPCs, and what may cross it."
    stack = Stack(spec, "peering", what, regions=None if writes else (spec.home,))
    connection = _add_connection(stack, network)
    peering_id = stack.output("PeeringId", connection, "The peering connection; the standby takes it from home")
    if writes:
        stack.sources[spec.standby]["AcceptedPeeringId"] = stack.wire(peering_id, Where.HOME, spec.standby)
        _add_writes(stack, network, connection)
    return Peering(stack, peering_id)


def _add_connection(stack: Stack, network: Network) -> Value:
    """Made on one side only; in one account, CloudFormation accepts it on the other by itself."""
    spec = stack.spec
    side = stack.setting(
        "PeeringSide",
        {spec.home: "requester", spec.standby: "accepter"},
        "Which side asks for the connection",
        AllowedValues=["requester", "accepter"],
    )
    stack.setting("AcceptedPeeringId", "", "The connection that the requester made; empty on the requester's side")
    stack.condition("IsRequester", equals(side, "requester"))
    stack.add(
        "PeeringConnection",
        _CONNECTION,
        {
            "VpcId": stack.input(network.vpc_id),
            "PeerVpcId": stack.input(network.vpc_id, Where.OTHER),
            "PeerRegion": stack.setting(
                "OtherRegion", {spec.home: spec.standby, spec.standby: spec.home}, "Region of the other VPC"
            ),
        },
        condition="IsRequester",
        comment="RDS's private names resolve without DNS resolution over the peering, which CloudFormation cannot set.",
    )
    return if_("IsRequester", ref("PeeringConnection"), ref("AcceptedPeeringId"))


def _add_writes(stack: Stack, network: Network, connection: Value) -> None:
    """The application of one region opens PostgreSQL in the other one, where the primary is."""
    other_app = stack.input(network.app_block, Where.OTHER)
    other_data = stack.input(network.data_block, Where.OTHER)
    tables = stack.input(network.app_route_tables)
    for zone in declare_zones(stack):
        stack.add(
            f"ApplicationToOtherDataRoute{zone.letter}",
            "AWS::EC2::Route",
            {
                "RouteTableId": select(zone.index, tables),
                "DestinationCidrBlock": other_data,
                "VpcPeeringConnectionId": connection,
            },
            condition=zone.condition,
        )
    stack.add(
        "DataToOtherApplicationRoute",
        "AWS::EC2::Route",
        {
            "RouteTableId": stack.input(network.data_route_table),
            "DestinationCidrBlock": other_app,
            "VpcPeeringConnectionId": connection,
        },
        comment="For the answers: without it the other region's connections hang, although every rule lets them in.",
    )
    postgresql = {"IpProtocol": "tcp", "FromPort": ports.POSTGRESQL, "ToPort": ports.POSTGRESQL}
    stack.add(
        "FleetToOtherDatabaseEgress",
        "AWS::EC2::SecurityGroupEgress",
        {
            "GroupId": stack.input(network.fleet_group),
            "CidrIp": other_data,
            **postgresql,
            "Description": "Writes to the database of the other region",
        },
    )
    stack.add(
        "OtherFleetToDatabaseIngress",
        "AWS::EC2::SecurityGroupIngress",
        {
            "GroupId": stack.input(network.database_group),
            "CidrIp": other_app,
            **postgresql,
            "Description": "Writes of the application of the other region",
        },
    )
    add_entries(stack, stack.input(network.data_acl), "OtherApplication", other_app, FIRST_NUMBER_OF_PEERING)
