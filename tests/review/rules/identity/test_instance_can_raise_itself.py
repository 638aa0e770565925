"""Who breaks into an instance has its role; a role that can change roles is everybody's role."""

from __future__ import annotations

from tests.support.findings import said
from tests.support.pieces import ROLE

RULE = "instance-can-raise-itself"


def test_any_role() -> None:
    (text,) = said(RULE, ROLE.replace("STATEMENT", '{Effect: Allow, Action: iam:PassRole, Resource: "*"}'))
    assert text.startswith("error: Instances with Role may iam:PassRole on any role.")


def test_one_role() -> None:
    assert (
        said(
            RULE,
            ROLE.replace(
                "STATEMENT", '{Effect: Allow, Action: iam:PassRole, Resource: "arn:aws:iam::123456789012:role/one"}'
            ),
        )
        == []
    )


def test_under_a_condition() -> None:
    assert (
        said(
            RULE,
            ROLE.replace(
                "STATEMENT", '{Effect: Allow, Action: iam:PassRole, Resource: "*", Condition: {StringEquals: {a: b}}}'
            ),
        )
        == []
    )
