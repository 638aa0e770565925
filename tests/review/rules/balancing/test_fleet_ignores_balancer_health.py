"""An instance that runs and does not serve is replaced only if somebody asks the balancer."""

from __future__ import annotations

from tests.support.findings import said
from tests.support.pieces import BALANCER, FLEET, VPC

RULE = "fleet-ignores-balancer-health"


def test_by_default() -> None:
    (text,) = said(RULE, (VPC + BALANCER + FLEET).replace("    HealthCheckType: ELB\n", ""))
    assert text.startswith("error: Fleet serves Targets and asks EC2 alone.")


def test_both() -> None:
    assert said(RULE, (VPC + BALANCER + FLEET).replace("HealthCheckType: ELB", 'HealthCheckType: "EC2,ELB"')) == []


def test_unknown() -> None:
    assert said(RULE, (VPC + BALANCER + FLEET).replace("HealthCheckType: ELB", "HealthCheckType: !Ref Kind")) == []
