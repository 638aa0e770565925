"""A role that everybody may take is everybody's."""

from __future__ import annotations

from tests.support.findings import said
from tests.support.pieces import ROLE

RULE = "role-trusts-everybody"


def test_a_star() -> None:
    (text,) = said(
        RULE,
        ROLE.replace("STATEMENT", '{Effect: Allow, Action: "s3:*", Resource: "*"}').replace(
            "{Service: ec2.amazonaws.com}", '"*"'
        ),
    )
    assert text.startswith("error: Role trusts everybody.")


def test_a_star_with_a_condition() -> None:
    assert (
        said(
            RULE,
            ROLE.replace("STATEMENT", '{Effect: Allow, Action: "s3:*", Resource: "*"}').replace(
                "{Service: ec2.amazonaws.com}", '"*", Condition: {StringEquals: {"aws:PrincipalOrgID": o-1}}'
            ),
        )
        == []
    )
