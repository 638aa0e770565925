"""A database belongs into subnets that the internet has no route to."""

from __future__ import annotations

from tests.support.findings import said
from tests.support.pieces import VPC

RULE = "database-in-public-subnet"


def test_routed_to_the_internet() -> None:
    (text,) = said(RULE, VPC + "Group: {Type: AWS::RDS::DBSubnetGroup, Properties: {SubnetIds: [!Ref PublicA]}}")
    assert text.startswith("error: PublicA of Group has a route to an internet gateway.")


def test_a_subnet_of_somebody_else() -> None:
    assert said(RULE, "Group: {Type: AWS::RDS::DBSubnetGroup, Properties: {SubnetIds: [subnet-1]}}") == []


def test_a_gateway_that_is_not_attached() -> None:
    assert (
        said(
            RULE,
            VPC.replace("Attached:", "Other:").replace("InternetGatewayId: !Ref Gateway", "VpnGatewayId: vgw-1")
            + "Group: {Type: AWS::RDS::DBSubnetGroup, Properties: {SubnetIds: [!Ref PublicA]}}",
        )
        == []
    )
