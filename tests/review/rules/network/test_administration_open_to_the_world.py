"""Ports for administrators are tried by everybody, all day."""

from __future__ import annotations

from tests.support.findings import said
from tests.support.pieces import BALANCER, FLEET, VPC

RULE = "administration-open-to-the-world"


def test_ssh() -> None:
    (text,) = said(RULE, (VPC + BALANCER + FLEET).replace("FromPort: 443, ToPort: 443", "FromPort: 22, ToPort: 22"))
    assert text.startswith("warning: Users opens SSH to 0.0.0.0/0.")


def test_https() -> None:
    assert said(RULE, VPC + BALANCER + FLEET) == []


def test_from_one_network() -> None:
    assert (
        said(
            RULE,
            (VPC + BALANCER + FLEET).replace(
                "FromPort: 443, ToPort: 443, CidrIp: 0.0.0.0/0", "FromPort: 22, ToPort: 22, CidrIp: 192.0.2.0/24"
            ),
        )
        == []
    )
