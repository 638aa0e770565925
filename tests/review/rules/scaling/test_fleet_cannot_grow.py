"""A fleet whose largest size is its smallest does not scale, whatever its policies say."""

from __future__ import annotations

from tests.support.findings import said
from tests.support.pieces import BALANCER, FLEET, VPC

RULE = "fleet-cannot-grow"


def test_as_many_as_at_least() -> None:
    (text,) = said(RULE, (VPC + BALANCER + FLEET).replace("MaxSize: 6", "MaxSize: 2"))
    assert text.startswith("warning: Fleet has between 2 and 2 instances.")


def test_a_fleet_that_serves_nobody_may_be_fixed() -> None:
    assert (
        said(
            RULE,
            (VPC + BALANCER + FLEET)
            .replace("MaxSize: 6", "MaxSize: 2")
            .replace("    TargetGroupARNs: [!Ref Targets]\n", ""),
        )
        == []
    )


def test_an_unknown_size_is_not_judged() -> None:
    assert said(RULE, (VPC + BALANCER + FLEET).replace("MaxSize: 6", "MaxSize: !Ref Most")) == []
