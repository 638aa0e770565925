"""A fleet that stands in one Availability Zone is gone with it."""

from __future__ import annotations

from tests.support.findings import said
from tests.support.pieces import BALANCER, FLEET, VPC

RULE = "fleet-in-one-zone"


def test_two_subnets_of_one_zone_are_one_zone() -> None:
    (text,) = said(RULE, (VPC + BALANCER + FLEET).replace("us-east-1b", "us-east-1a"))
    assert text.startswith("error: Fleet stands in us-east-1a alone.")


def test_two_zones_are_in_order() -> None:
    assert said(RULE, VPC + BALANCER + FLEET) == []


def test_zones_by_position_are_told_apart() -> None:
    assert (
        said(
            RULE,
            """
Fleet:
  Type: AWS::AutoScaling::AutoScalingGroup
  Properties: {MinSize: 1, MaxSize: 2, AvailabilityZones: !GetAZs ""}
""",
        )
        == []
    )


def test_a_subnet_nobody_can_see_is_not_guessed() -> None:
    (text,) = said(
        RULE,
        (VPC + BALANCER + FLEET).replace(
            "[!Ref PublicA, !Ref PublicB]\n    TargetGroupARNs", "!Ref Subnets\n    TargetGroupARNs"
        ),
    )
    assert text.startswith("info: Where Fleet stands is not known: nothing here is called Subnets.")
