"""A NAT gateway stands in one zone, and everything whose way out it is falls with that zone."""

from __future__ import annotations

from tests.support.findings import said
from tests.support.pieces import VPC

RULE = "one-nat-gateway-for-all-zones"


def test_another_zone() -> None:
    (text,) = said(
        RULE,
        VPC
        + """
Nat: {Type: AWS::EC2::NatGateway, Properties: {AllocationId: eipalloc-1, SubnetId: !Ref PublicA}}
Table: {Type: AWS::EC2::RouteTable, Properties: {VpcId: !Ref Vpc}}
Out: {Type: AWS::EC2::Route, Properties: {RouteTableId: !Ref Table, DestinationCidrBlock: 0.0.0.0/0,
    NatGatewayId: !Ref Nat}}
App: {Type: AWS::EC2::Subnet, Properties: {VpcId: !Ref Vpc, CidrBlock: 10.0.9.0/24,
    AvailabilityZone: us-east-1b}}
AppRoutes: {Type: AWS::EC2::SubnetRouteTableAssociation, Properties: {SubnetId: !Ref App,
    RouteTableId: !Ref Table}}
""",
    )
    assert text.startswith("warning: Nat stands in us-east-1a, and is the way out of App.")


def test_its_own_zone() -> None:
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


def test_a_zone_that_is_not_known() -> None:
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
    AvailabilityZone: !Ref Zone}}
AppRoutes: {Type: AWS::EC2::SubnetRouteTableAssociation, Properties: {SubnetId: !Ref App,
    RouteTableId: !Ref Table}}
""",
        )
        == []
    )
