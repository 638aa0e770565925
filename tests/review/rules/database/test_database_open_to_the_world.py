"""A database whose group lets every address in waits for one more mistake."""

from __future__ import annotations

from tests.support.findings import said
from tests.support.pieces import BALANCER, DATABASE, VPC

RULE = "database-open-to-the-world"


def test_every_address() -> None:
    (text,) = said(
        RULE, DATABASE.replace("MORE", "VPCSecurityGroups: [!Ref Users]") + VPC + BALANCER.replace("443", "5432")
    )
    assert text.startswith("error: Users of Database lets 0.0.0.0/0 in.")


def test_another_port() -> None:
    assert said(RULE, DATABASE.replace("MORE", "VPCSecurityGroups: [!Ref Users]") + VPC + BALANCER) == []


def test_a_port_of_its_own() -> None:
    (text,) = said(RULE, DATABASE.replace("MORE", "Port: 443, VPCSecurityGroups: [!Ref Users]") + VPC + BALANCER)
    assert text.startswith("error: Users of Database lets 0.0.0.0/0 in.")
