"""A peering connection carries nothing unless both sides have routes into it."""

from __future__ import annotations

from tests.support.findings import said
from tests.support.pieces import VPC

RULE = "peering-without-return-route"


def test_both_ways() -> None:
    assert (
        said(
            RULE,
            VPC
            + """Ledger: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.1.0.0/16}}
Peering: {Type: AWS::EC2::VPCPeeringConnection, Properties: {VpcId: !Ref Vpc, PeerVpcId: !Ref Ledger}}
LedgerTable: {Type: AWS::EC2::RouteTable, Properties: {VpcId: !Ref Ledger}}
There: {Type: AWS::EC2::Route, Properties: {RouteTableId: !Ref PublicTable,
    DestinationCidrBlock: 10.1.0.0/16, VpcPeeringConnectionId: !Ref Peering}}
Back: {Type: AWS::EC2::Route, Properties: {RouteTableId: !Ref LedgerTable,
    DestinationCidrBlock: 10.0.0.0/16, VpcPeeringConnectionId: !Ref Peering}}
LedgerSubnet: {Type: AWS::EC2::Subnet, Properties: {VpcId: !Ref Ledger, CidrBlock: 10.1.0.0/24}}
LedgerRoutes: {Type: AWS::EC2::SubnetRouteTableAssociation, Properties: {SubnetId: !Ref LedgerSubnet,
    RouteTableId: !Ref LedgerTable}}
""",
        )
        == []
    )


def test_no_route_at_all() -> None:
    (text,) = said(
        RULE,
        VPC
        + """Ledger: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.1.0.0/16}}
Peering: {Type: AWS::EC2::VPCPeeringConnection, Properties: {VpcId: !Ref Vpc, PeerVpcId: !Ref Ledger}}
LedgerTable: {Type: AWS::EC2::RouteTable, Properties: {VpcId: !Ref Ledger}}
There: {Type: AWS::EC2::Route, Properties: {RouteTableId: !Ref PublicTable,
    DestinationCidrBlock: 10.1.0.0/16, GatewayId: !Ref Gateway}}
""",
    )
    assert text.startswith("error: No route table leads into Peering.")


def test_a_vpc_of_somebody_else() -> None:
    (text,) = said(
        RULE,
        VPC
        + """Ledger: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.1.0.0/16}}
Peering: {Type: AWS::EC2::VPCPeeringConnection, Properties: {VpcId: !Ref Vpc, PeerVpcId: vpc-1}}
LedgerTable: {Type: AWS::EC2::RouteTable, Properties: {VpcId: !Ref Ledger}}
There: {Type: AWS::EC2::Route, Properties: {RouteTableId: !Ref PublicTable,
    DestinationCidrBlock: 10.1.0.0/16, VpcPeeringConnectionId: !Ref Peering}}
""",
    )
    assert text.startswith("info: One of the VPCs that Peering joins is not among these templates.")
