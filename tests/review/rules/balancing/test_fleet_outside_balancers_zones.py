"""Instances in a zone that their balancer does not stand in get no requests."""

from __future__ import annotations

from tests.support.findings import said
from tests.support.pieces import BALANCER, FLEET, VPC

RULE = "fleet-outside-balancers-zones"


def test_a_zone_of_its_own() -> None:
    (text,) = said(
        RULE,
        (VPC + BALANCER + FLEET).replace(
            "Properties: {Subnets: [!Ref PublicA, !Ref PublicB]", "Properties: {Subnets: [!Ref PublicA]"
        ),
    )
    assert text.startswith("error: Fleet stands in us-east-1b, and Balancer does not.")


def test_the_same_zones() -> None:
    assert said(RULE, VPC + BALANCER + FLEET) == []
