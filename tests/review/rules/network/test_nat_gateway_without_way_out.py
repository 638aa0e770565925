"""A NAT gateway works only in a subnet that is routed to an internet gateway."""

from __future__ import annotations

from tests.support.findings import said
from tests.support.pieces import VPC

RULE = "nat-gateway-without-way-out"


def test_behind_itself() -> None:
    (text,) = said(
        RULE,
        VPC
        + """
Nat: {Type: AWS::EC2::NatGateway, Properties: {AllocationId: eipalloc-1, SubnetId: !Ref App}}
Table: {Type: AWS::EC2::RouteTable, Properties: {VpcId: !Ref Vpc}}
Out: {Type: AWS::EC2::Route, Properties: {RouteTableId: !Ref Table, DestinationCidrBlock: 0.0.0.0/0,
    NatGatewayId: !Ref Nat}}
App: {Type: AWS::EC2::Subnet, Properties: {VpcId: !Ref Vpc, CidrBlock: 10.0.9.0/24,
    AvailabilityZone: us-east-1a}}
AppRoutes: {Type: AWS::EC2::SubnetRouteTableAssociation, Properties: {SubnetId: !Ref App,
    RouteTableId: !Ref Table}}
""",
    )
    assert text.startswith("error: Nat stands in App, whose route table leads to no internet gateway.")


def test_in_public() -> None:
    assert (
        said(
            RULE,
            VPC
            + """
Nat: {Type: AWS::EC2::NatGateway, Properties: {AllocationId: eipalloc-1, SubnetId: !Ref PublicA}}
Table: {Type: AWS::EC2::RouteTable, Properties: {VpcId: !Ref Vpc}}
Out: {Type: AWS::EC2::Route, Properties: {RouteTableId: !Ref Table, DestinationCidrBlock: 0.0.0.0/0,
    NatGatewayId: !Ref Nat}}
App: {Type: AWS::EC2::Subnet, Properties: {VpcId: !Ref Vpc, CidrBlock: 10.0.9.0/24,
    AvailabilityZone: us-east-1a}}
AppRoutes: {Type: AWS::EC2::SubnetRouteTableAssociation, Properties: {SubnetId: !Ref App,
    RouteTableId: !Ref Table}}
""",
        )
        == []
    )


def test_in_a_subnet_of_somebody_else() -> None:
    assert (
        said(
            RULE,
            VPC
            + """
Nat: {Type: AWS::EC2::NatGateway, Properties: {AllocationId: eipalloc-1, SubnetId: !Ref Theirs}}
Table: {Type: AWS::EC2::RouteTable, Properties: {VpcId: !Ref Vpc}}
Out: {Type: AWS::EC2::Route, Properties: {RouteTableId: !Ref Table, DestinationCidrBlock: 0.0.0.0/0,
    NatGatewayId: !Ref Nat}}
App: {Type: AWS::EC2::Subnet, Properties: {VpcId: !Ref Vpc, CidrBlock: 10.0.9.0/24,
    AvailabilityZone: us-east-1a}}
AppRoutes: {Type: AWS::EC2::SubnetRouteTableAssociation, Properties: {SubnetId: !Ref App,
    RouteTableId: !Ref Table}}
""",
        )
        == []
    )
