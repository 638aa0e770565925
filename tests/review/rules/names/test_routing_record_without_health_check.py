"""Latency, weighted and geographic records route around what is lost only if they know that it is."""

from __future__ import annotations

from tests.support.findings import said
from tests.support.pieces import RECORDS

RULE = "routing-record-without-health-check"


def test_weighted_without_health() -> None:
    found = said(
        RULE,
        RECORDS.replace("Failover: PRIMARY\n    HealthCheckId: !Ref Check", "Weight: 50").replace(
            "Failover: SECONDARY", "Weight: 50"
        ),
    )
    assert len(found) == 2
    assert found[0].startswith("error: First of shop.example.com is answered whether or not its target is alive.")
    assert found[1].startswith("error: Second of shop.example.com is answered whether or not its target is alive.")


def test_evaluated() -> None:
    assert (
        said(
            RULE,
            RECORDS.replace("Failover: PRIMARY\n    HealthCheckId: !Ref Check", "Weight: 50")
            .replace("Failover: SECONDARY", "Weight: 50")
            .replace("HostedZoneId: Z1", "HostedZoneId: Z1, EvaluateTargetHealth: true"),
        )
        == []
    )
