"""A check that asks the name that it guards sees whatever that name leads to at the moment."""

from __future__ import annotations

from tests.support.findings import said
from tests.support.pieces import RECORDS

RULE = "health-check-asks-its-own-record"


def test_in_a_circle() -> None:
    (text,) = said(RULE, RECORDS.replace("!GetAtt East.DNSName, RequestInterval", "shop.example.com, RequestInterval"))
    assert text.startswith("error: Check asks shop.example.com, whose record First it guards.")


def test_the_balancer_itself() -> None:
    assert said(RULE, RECORDS) == []
