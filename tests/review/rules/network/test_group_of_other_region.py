"""A security group is known in its own region only."""

from __future__ import annotations

from tests.support.findings import said
from tests.support.pieces import BALANCER, FLEET, VPC

RULE = "group-of-other-region"


def test_its_own_region() -> None:
    assert said(RULE, VPC + BALANCER + FLEET) == []


def test_a_group_of_nobody_here() -> None:
    assert (
        said(RULE, (VPC + BALANCER + FLEET).replace("SourceSecurityGroupId: !Ref Users", "SourceSecurityGroupId: sg-1"))
        == []
    )
