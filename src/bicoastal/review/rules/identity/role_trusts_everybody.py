"""A role that everybody may take is everybody's."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.rule import Hit, Rule, Seen

RULE = Rule(
    "role-trusts-everybody",
    Severity.ERROR,
    "A role can be taken by anybody",
    "Any AWS account in the world can use it.",
    "Name the accounts or services, or bind it with a condition such as aws:PrincipalOrgID.",
    ("AWS::IAM::Role",),
    "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html",
)


def look(case: Case) -> Iterator[Seen]:
    """Trust with a star and no condition."""
    for role in case.deployment.of_type("AWS::IAM::Role"):
        for one in case.identities.trusted(role):
            if one.effect == "Allow" and "*" in one.principals and not one.conditions:
                yield Hit(role, f"{role.logical_id} trusts everybody.", one.path)
