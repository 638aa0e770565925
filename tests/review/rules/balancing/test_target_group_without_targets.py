"""Requests that are forwarded to a group without targets are answered with 503."""

from __future__ import annotations

from tests.support.findings import said
from tests.support.pieces import BALANCER, FLEET, VPC

RULE = "target-group-without-targets"


def test_nothing_joins() -> None:
    (text,) = said(RULE, (VPC + BALANCER + FLEET).replace("    TargetGroupARNs: [!Ref Targets]\n", ""))
    assert text.startswith("error: Balancer forwards to Targets, which nothing joins.")


def test_a_service_joins() -> None:
    assert (
        said(
            RULE,
            (VPC + BALANCER + FLEET).replace("    TargetGroupARNs: [!Ref Targets]\n", "")
            + "Service: {Type: AWS::ECS::Service, Properties: {LoadBalancers: [{TargetGroupArn: !Ref Targets}]}}",
        )
        == []
    )


def test_addresses_are_given() -> None:
    assert (
        said(
            RULE,
            (VPC + BALANCER + FLEET)
            .replace("    TargetGroupARNs: [!Ref Targets]\n", "")
            .replace("Port: 8080, Protocol: HTTP,", "Port: 8080, Protocol: HTTP, Targets: [{Id: 10.0.0.9}],"),
        )
        == []
    )
