"""A log group without retention keeps everything, and bills for it."""

from __future__ import annotations

from tests.support.findings import said

RULE = "log-group-kept-for-ever"


def test_no_retention() -> None:
    (text,) = said(RULE, "Log: {Type: AWS::Logs::LogGroup}")
    assert text.startswith("warning: Log has no retention.")


def test_a_month() -> None:
    assert said(RULE, "Log: {Type: AWS::Logs::LogGroup, Properties: {RetentionInDays: 30}}") == []


def test_unknown() -> None:
    assert said(RULE, "Log: {Type: AWS::Logs::LogGroup, Properties: {RetentionInDays: !Ref Days}}") == []
