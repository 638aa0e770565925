"""What goes over plain HTTP can be read and changed on the way."""

from __future__ import annotations

from tests.support.findings import said
from tests.support.pieces import BALANCER, FLEET, VPC

RULE = "plain-http-served"


def test_forwarded() -> None:
    (text,) = said(
        RULE, (VPC + BALANCER + FLEET).replace("Port: 443\n    Protocol: HTTPS", "Port: 80\n    Protocol: HTTP")
    )
    assert text.startswith("warning: Listener forwards requests that came over plain HTTP.")


def test_inside() -> None:
    assert (
        said(
            RULE,
            (VPC + BALANCER + FLEET)
            .replace("Port: 443\n    Protocol: HTTPS", "Port: 80\n    Protocol: HTTP")
            .replace("{Subnets:", "{Scheme: internal, Subnets:"),
        )
        == []
    )
