"""A region that takes over gets all users, not its own share."""

from __future__ import annotations

from tests.support.findings import said
from tests.support.pieces import BALANCER, FLEET, VPC

RULE = "standby-cannot-carry-load"


def test_a_small_fleet_beside_a_large_one() -> None:
    (text,) = said(
        RULE,
        (VPC + BALANCER + FLEET).replace("MaxSize: 6", "MaxSize: 20"),
        VPC + BALANCER + FLEET,
        regions=("us-east-1", "us-west-2"),
    )
    assert text.startswith("warning: Fleet of us-west-2 grows to 6, and another region's fleet to 20.")


def test_half_as_large_is_enough() -> None:
    assert (
        said(
            RULE,
            (VPC + BALANCER + FLEET).replace("MaxSize: 6", "MaxSize: 12"),
            VPC + BALANCER + FLEET,
            regions=("us-east-1", "us-west-2"),
        )
        == []
    )


def test_one_region_has_nobody_to_compare_with() -> None:
    assert said(RULE, VPC + BALANCER + FLEET) == []
