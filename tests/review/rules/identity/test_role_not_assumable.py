"""A role is of no use to a service that may not take it."""

from __future__ import annotations

from tests.support.findings import said
from tests.support.pieces import ROLE

RULE = "role-not-assumable"


def test_another_service() -> None:
    (text,) = said(
        RULE,
        ROLE.replace("STATEMENT", '{Effect: Allow, Action: "s3:*", Resource: "*"}').replace(
            "ec2.amazonaws", "ecs.amazonaws"
        ),
    )
    assert text.startswith("error: Profile uses Role, which trusts ecs.amazonaws.com.")


def test_its_own() -> None:
    assert said(RULE, ROLE.replace("STATEMENT", '{Effect: Allow, Action: "s3:*", Resource: "*"}')) == []


def test_a_service_that_is_not_known() -> None:
    assert (
        said(
            RULE,
            ROLE.replace("STATEMENT", '{Effect: Allow, Action: "s3:*", Resource: "*"}').replace(
                "ec2.amazonaws.com", "!Ref Service"
            ),
        )
        == []
    )
