"""A subnet lies inside its VPC and shares no address with another one."""

from __future__ import annotations

from tests.support.findings import said
from tests.support.pieces import VPC

RULE = "subnet-blocks-clash"


def test_overlap() -> None:
    (text,) = said(RULE, VPC.replace("10.0.1.0/24", "10.0.0.128/25"))
    assert text.startswith("error: PublicB (10.0.0.128/25) overlaps PublicA.")


def test_outside() -> None:
    (text,) = said(RULE, VPC.replace("10.0.1.0/24", "10.3.1.0/24"))
    assert text.startswith("error: PublicB (10.3.1.0/24) lies outside 10.0.0.0/16.")


def test_apart() -> None:
    assert said(RULE, VPC) == []


def test_unknown() -> None:
    assert said(RULE, VPC.replace("10.0.1.0/24", "!Ref Block")) == []
