"""A public balancer that users cannot reach is down, however healthy what stands behind it."""

from __future__ import annotations

from tests.support.findings import said
from tests.support.pieces import BALANCER, FLEET, VPC

RULE = "balancer-closed-to-users"


def test_an_open_port() -> None:
    assert said(RULE, VPC + BALANCER + FLEET) == []


def test_another_port() -> None:
    (text,) = said(RULE, (VPC + BALANCER + FLEET).replace("FromPort: 443, ToPort: 443", "FromPort: 80, ToPort: 80"))
    assert text.startswith(
        "error: Listener on port 443: security group Users of Balancer: no inbound rule for tcp/443 from the internet"
    )


def test_users_of_one_network_are_meant() -> None:
    assert said(RULE, (VPC + BALANCER + FLEET).replace("CidrIp: 0.0.0.0/0", "CidrIp: 192.0.2.0/24")) == []


def test_an_internal_one_is_not_for_users() -> None:
    assert (
        said(
            RULE,
            (VPC + BALANCER + FLEET)
            .replace("  Properties: {Subnets: [!Ref PublicA", "  Properties: {Scheme: internal, Subnets: [!Ref PublicA")
            .replace("CidrIp: 0.0.0.0/0", "CidrIp: 10.0.0.0/8"),
        )
        == []
    )
