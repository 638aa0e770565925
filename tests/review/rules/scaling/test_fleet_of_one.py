"""One instance is in one zone, however many subnets its group has."""

from __future__ import annotations

from tests.support.findings import said
from tests.support.pieces import BALANCER, FLEET, VPC

RULE = "fleet-of-one"


def test_one_instance_at_least() -> None:
    (text,) = said(RULE, (VPC + BALANCER + FLEET).replace("MinSize: 2", "MinSize: 1"))
    assert text.startswith("warning: Fleet may have 1 instance.")


def test_none_at_least() -> None:
    (text,) = said(RULE, (VPC + BALANCER + FLEET).replace("MinSize: 2", "MinSize: 0"))
    assert text.startswith("warning: Fleet may have 0 instances.")


def test_two_are_in_order() -> None:
    assert said(RULE, VPC + BALANCER + FLEET) == []
