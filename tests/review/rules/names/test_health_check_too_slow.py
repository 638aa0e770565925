"""The time to notice is the interval times the threshold, before anything else can begin."""

from __future__ import annotations

from tests.support.findings import said
from tests.support.pieces import RECORDS

RULE = "health-check-too-slow"


def test_by_aws_s_defaults() -> None:
    (text,) = said(RULE, RECORDS.replace(", RequestInterval: 10, FailureThreshold: 3", ""))
    assert text.startswith("warning: Check asks every 30 s and believes it after 3 times: 90 s.")


def test_thirty_seconds() -> None:
    assert said(RULE, RECORDS) == []


def test_unknown() -> None:
    assert said(RULE, RECORDS.replace("RequestInterval: 10", "RequestInterval: !Ref Interval")) == []
