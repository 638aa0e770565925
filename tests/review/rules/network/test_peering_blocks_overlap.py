"""Peering routes by address: two networks with the same addresses cannot be joined."""

from __future__ import annotations

from tests.support.findings import said
from tests.support.pieces import VPC

RULE = "peering-blocks-overlap"


def test_one_in_the_other() -> None:
    (text,) = said(
        RULE,
        VPC
        + """Ledger: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.0.4.0/22}}
Peering: {Type: AWS::EC2::VPCPeeringConnection, Properties: {VpcId: !Ref Vpc, PeerVpcId: !Ref Ledger}}
LedgerTable: {Type: AWS::EC2::RouteTable, Properties: {VpcId: !Ref Ledger}}
There: {Type: AWS::EC2::Route, Properties: {RouteTableId: !Ref PublicTable,
    DestinationCidrBlock: 10.1.0.0/16, VpcPeeringConnectionId: !Ref Peering}}
""",
    )
    assert text.startswith("error: Peering joins 10.0.0.0/16 and 10.0.4.0/22.")


def test_apart() -> None:
    assert (
        said(
            RULE,
            VPC
            + """Ledger: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.1.0.0/16}}
Peering: {Type: AWS::EC2::VPCPeeringConnection, Properties: {VpcId: !Ref Vpc, PeerVpcId: !Ref Ledger}}
LedgerTable: {Type: AWS::EC2::RouteTable, Properties: {VpcId: !Ref Ledger}}
There: {Type: AWS::EC2::Route, Properties: {RouteTableId: !Ref PublicTable,
    DestinationCidrBlock: 10.1.0.0/16, VpcPeeringConnectionId: !Ref Peering}}
""",
        )
        == []
    )
