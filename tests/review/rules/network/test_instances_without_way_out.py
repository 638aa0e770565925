"""Instances that download what they need must get out, or have endpoints."""

from __future__ import annotations

from tests.support.findings import said
from tests.support.pieces import BALANCER, FLEET, VPC

RULE = "instances-without-way-out"


def test_a_way_out() -> None:
    assert said(RULE, (VPC + BALANCER + FLEET).replace("/opt/app/serve", "yum -y install app; serve")) == []


def test_no_route() -> None:
    found = said(
        RULE,
        (VPC + BALANCER + FLEET)
        .replace("/opt/app/serve", "yum -y install app; serve")
        .replace("DestinationCidrBlock: 0.0.0.0/0", "DestinationCidrBlock: 10.9.0.0/16"),
    )
    assert len(found) == 2
    assert found[0].startswith("error: Fleet stands in PublicA, and boots with `yum -y install`.")
    assert found[1].startswith("error: Fleet stands in PublicB, and boots with `yum -y install`.")


def test_everything_is_in_the_image() -> None:
    assert (
        said(
            RULE,
            (VPC + BALANCER + FLEET).replace("DestinationCidrBlock: 0.0.0.0/0", "DestinationCidrBlock: 10.9.0.0/16"),
        )
        == []
    )
