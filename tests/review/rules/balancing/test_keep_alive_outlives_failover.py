"""DNS moves new connections; those that are open stay where they are."""

from __future__ import annotations

from tests.support.findings import said
from tests.support.pieces import BALANCER, FLEET, RECORDS, VPC

RULE = "keep-alive-outlives-failover"


def test_an_hour_by_default() -> None:
    found = said(RULE, RECORDS)
    assert len(found) == 2
    assert found[0].startswith("warning: East keeps connections for 3600 s.")
    assert found[1].startswith("warning: West keeps connections for 3600 s.")


def test_nowhere_else_to_go() -> None:
    assert said(RULE, VPC + BALANCER + FLEET) == []


def test_three_minutes() -> None:
    assert (
        said(
            RULE,
            RECORDS.replace(
                "Name: east}", 'Name: east, LoadBalancerAttributes: [{Key: client_keep_alive.seconds, Value: "180"}]}'
            ).replace(
                "Name: west}",
                "Name: west, LoadBalancerAttributes: [{Key: client_keep_alive.seconds, Value: !Ref Seconds}]}",
            ),
        )
        == []
    )
