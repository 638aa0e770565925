"""Requests to a port that nothing listens on are refused."""

from __future__ import annotations

from tests.support.findings import said
from tests.support.pieces import BALANCER, FLEET, VPC

RULE = "target-port-not-served"


def test_another_port() -> None:
    (text,) = said(RULE, (VPC + BALANCER + FLEET).replace("Port: 8080, Protocol: HTTP", "Port: 9090, Protocol: HTTP"))
    assert text.startswith("error: Targets sends to 9090, and user data listens on 8080.")


def test_the_port_is_served() -> None:
    assert said(RULE, VPC + BALANCER + FLEET) == []


def test_a_server_with_a_configuration_of_its_own() -> None:
    assert (
        said(
            RULE,
            (VPC + BALANCER + FLEET)
            .replace("Port: 8080, Protocol: HTTP", "Port: 9090, Protocol: HTTP")
            .replace("/opt/app/serve --port 8080", "service nginx start; serve --port 8080"),
        )
        == []
    )
