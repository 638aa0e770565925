"""A role that may do everything is an administrator, whoever bears it."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.rule import Hit, Rule, Seen

RULE = Rule(
    "role-may-do-everything",
    Severity.WARNING,
    "A role may do everything",
    "A fault or a theft in one place reaches all places, and nobody can say what the role is for.",
    "Allow the actions that are used, on the resources that they are used on.",
    ("AWS::IAM::Role",),
    "https://docs.aws.amazon.com/IAM/latest/UserGuide/best-practices.html",
)


def look(case: Case) -> Iterator[Seen]:
    """Statements with both stars and no condition, and AWS's own policy of that name."""
    for role in case.deployment.of_type("AWS::IAM::Role"):
        if case.deployment.resource(role.get("PermissionsBoundary")) is not None:
            continue
        for one in case.identities.statements(role):
            if one.effect == "Allow" and "*" in one.actions and "*" in one.resources and not one.conditions:
                yield Hit(role, f"{role.logical_id} is allowed * on *.", one.path if one.source is role else ())
                break
