"""A secondary that stands where the primary stands is lost with it."""

from __future__ import annotations

from tests.support.findings import said
from tests.support.pieces import RECORDS

RULE = "secondary-in-primary-region"


def test_both_in_one_region() -> None:
    (text,) = said(RULE, RECORDS)
    assert text.startswith("error: Second and its primary both lead to us-east-1.")


def test_another_region_by_its_name() -> None:
    assert (
        said(RULE, RECORDS.replace("DNSName: !GetAtt West.DNSName", "DNSName: shop-1.us-west-2.elb.amazonaws.com"))
        == []
    )


def test_a_name_that_nobody_knows() -> None:
    assert said(RULE, RECORDS.replace("DNSName: !GetAtt West.DNSName", "DNSName: !Ref Other")) == []
