"""A load balancer in one Availability Zone is gone with it."""

from __future__ import annotations

from tests.support.findings import said
from tests.support.pieces import BALANCER, FLEET, VPC

RULE = "balancer-in-one-zone"


def test_both_subnets_in_one() -> None:
    (text,) = said(RULE, (VPC + BALANCER + FLEET).replace("us-east-1b", "us-east-1a"))
    assert text.startswith("error: Balancer stands in us-east-1a alone.")


def test_two() -> None:
    assert said(RULE, VPC + BALANCER + FLEET) == []


def test_zones_that_are_not_known() -> None:
    assert (
        said(RULE, (VPC + BALANCER + FLEET).replace("AvailabilityZone: us-east-1b", "AvailabilityZone: !Ref Zone"))
        == []
    )
