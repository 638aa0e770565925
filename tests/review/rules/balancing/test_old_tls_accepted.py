"""TLS 1.0 and 1.1 are broken, and the default policies of load balancers accepted them for years."""

from __future__ import annotations

from tests.support.findings import said
from tests.support.pieces import BALANCER, FLEET, VPC

RULE = "old-tls-accepted"


def test_none_named() -> None:
    (text,) = said(RULE, (VPC + BALANCER + FLEET).replace("    SslPolicy: ELBSecurityPolicy-TLS13-1-2-2021-06\n", ""))
    assert text.startswith("warning: Listener names no SslPolicy, which means ELBSecurityPolicy-2016-08.")


def test_forward_secrecy_alone_is_not_enough() -> None:
    (text,) = said(RULE, (VPC + BALANCER + FLEET).replace("TLS13-1-2-2021-06", "FS-2018-06"))
    assert text.startswith("warning: Listener takes connections by ELBSecurityPolicy-FS-2018-06.")


def test_a_new_one() -> None:
    assert said(RULE, VPC + BALANCER + FLEET) == []


def test_unknown() -> None:
    assert said(RULE, (VPC + BALANCER + FLEET).replace("ELBSecurityPolicy-TLS13-1-2-2021-06", "!Ref Policy")) == []
