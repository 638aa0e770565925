"""The role that opens everything in an emergency is the one that is stolen."""

from __future__ import annotations

from tests.support.findings import said
from tests.support.pieces import ROLE

RULE = "emergency-access-without-mfa"


def test_a_key_alone() -> None:
    (text,) = said(
        RULE,
        ROLE.replace("STATEMENT", '{Effect: Allow, Action: ssm:StartSession, Resource: "*"}').replace(
            "{Service: ec2.amazonaws.com}", '{AWS: "arn:aws:iam::123456789012:root"}'
        ),
    )
    assert text.startswith(
        "warning: Role may ssm:StartSession, and arn:aws:iam::123456789012:root takes it with a key alone."
    )


def test_a_second_factor() -> None:
    assert (
        said(
            RULE,
            ROLE.replace("STATEMENT", '{Effect: Allow, Action: ssm:StartSession, Resource: "*"}').replace(
                "{Service: ec2.amazonaws.com}",
                '{AWS: "arn:aws:iam::123456789012:root"}, Condition: {Bool: {"aws:MultiFactorAuthPresent": true}}',
            ),
        )
        == []
    )


def test_a_service_has_no_second_factor() -> None:
    assert said(RULE, ROLE.replace("STATEMENT", '{Effect: Allow, Action: ssm:StartSession, Resource: "*"}')) == []
