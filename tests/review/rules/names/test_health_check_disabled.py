"""A disabled check counts as healthy, for ever."""

from __future__ import annotations

from tests.support.findings import said
from tests.support.pieces import RECORDS

RULE = "health-check-disabled"


def test_off() -> None:
    (text,) = said(RULE, RECORDS.replace("{Type: HTTPS", "{Disabled: true, Type: HTTPS"))
    assert text.startswith("warning: Check is disabled.")


def test_on() -> None:
    assert said(RULE, RECORDS) == []
