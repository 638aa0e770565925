"""A finding may be suppressed, but never without saying why."""

from __future__ import annotations

from tests.support.findings import said

RULE = "suppression-without-reason"


def test_no_reason() -> None:
    (text,) = said(RULE, "Topic: {Type: AWS::SNS::Topic, Metadata: {bicoastal: {suppress: [{rule: a}]}}}")
    assert text.startswith("warning: Topic suppresses a and does not say why.")


def test_a_reason() -> None:
    assert (
        said(RULE, "Topic: {Type: AWS::SNS::Topic, Metadata: {bicoastal: {suppress: [{rule: a, reason: because}]}}}")
        == []
    )
