"""A record that is guarded by the health of another place stays when its own is lost."""

from __future__ import annotations

from tests.support.findings import said
from tests.support.pieces import RECORDS

RULE = "health-check-of-other-side"


def test_its_own_side() -> None:
    assert said(RULE, RECORDS) == []


def test_the_other_one() -> None:
    assert (
        said(RULE, RECORDS.replace("DNSName: !GetAtt East.DNSName", "DNSName: shop-1.us-west-2.elb.amazonaws.com"))
        == []
    )
