"""A primary without a secondary fails over to nothing."""

from __future__ import annotations

from tests.support.findings import said
from tests.support.pieces import RECORDS

RULE = "failover-pair-incomplete"


def test_alone() -> None:
    found = said(RULE, RECORDS.replace("Failover: SECONDARY", "Failover: PRIMARY"))
    assert len(found) == 2
    assert found[0].startswith("error: First is the only record of shop.example.com.")
    assert found[1].startswith("error: Second is the only record of shop.example.com.")


def test_a_pair() -> None:
    assert said(RULE, RECORDS) == []


def test_a_record_that_may_be_the_secondary() -> None:
    assert said(RULE, RECORDS.replace("Failover: SECONDARY", "Failover: !Ref Role")) == []
