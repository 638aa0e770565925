"""Stacks are wired by outputs and exports, and an export ends at its region's border."""

from __future__ import annotations

from tests.support.findings import said

RULE = "stack-wire-broken"


def test_exported_in_another_region_alone() -> None:
    (text,) = said(
        RULE,
        "Here: {Type: AWS::SNS::Topic}",
        "Topic: {Type: AWS::SNS::Topic, Properties: {KmsMasterKeyId: !ImportValue key}}",
        regions=("us-east-1", "us-west-2"),
        heads=("Outputs: {Key: {Value: a, Export: {Name: key}}}", ""),
    )
    assert text.startswith("error: Topic imports key, which us-east-1 exports.")


def test_exported_by_somebody_else() -> None:
    assert said(RULE, "Topic: {Type: AWS::SNS::Topic, Properties: {KmsMasterKeyId: !ImportValue key}}") == []
