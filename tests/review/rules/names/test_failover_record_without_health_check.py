"""Failover routing without health is no failover: the primary is answered for ever."""

from __future__ import annotations

from tests.support.findings import said
from tests.support.pieces import RECORDS

RULE = "failover-record-without-health-check"


def test_none_at_all() -> None:
    (text,) = said(RULE, RECORDS.replace("    HealthCheckId: !Ref Check\n", ""))
    assert text.startswith("error: First is the primary of shop.example.com, and has none and evaluates nothing.")


def test_its_target_has_a_health() -> None:
    assert (
        said(
            RULE,
            RECORDS.replace("    HealthCheckId: !Ref Check\n", "").replace(
                "East.DNSName, HostedZoneId: Z1", "East.DNSName, HostedZoneId: Z1, EvaluateTargetHealth: true"
            ),
        )
        == []
    )


def test_a_check_of_somebody_else() -> None:
    assert said(RULE, RECORDS.replace("!Ref Check", "!Ref TheirCheck")) == []
