"""A subnet group of one zone leaves a standby nowhere to stand."""

from __future__ import annotations

from tests.support.findings import said
from tests.support.pieces import VPC

RULE = "database-subnets-in-one-zone"


def test_one() -> None:
    (text,) = said(
        RULE,
        VPC.replace("us-east-1b", "us-east-1a")
        + "Group: {Type: AWS::RDS::DBSubnetGroup, Properties: {SubnetIds: [!Ref PublicA, !Ref PublicB]}}",
    )
    assert text.startswith("error: Group stands in us-east-1a alone.")


def test_two() -> None:
    assert (
        said(
            RULE, VPC + "Group: {Type: AWS::RDS::DBSubnetGroup, Properties: {SubnetIds: [!Ref PublicA, !Ref PublicB]}}"
        )
        == []
    )
