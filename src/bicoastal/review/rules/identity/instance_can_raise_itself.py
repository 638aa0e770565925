"""Who breaks into an instance has its role; a role that can change roles is everybody's role."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.rule import Hit, Rule, Seen

RULE = Rule(
    "instance-can-raise-itself",
    Severity.ERROR,
    "An instance's role can give itself more rights",
    "One broken instance, and the account is lost, backups and second region included.",
    "Take these actions from the role, or bind them to the resources that they are needed for.",
    ("AWS::IAM::Role",),
    "https://docs.aws.amazon.com/IAM/latest/UserGuide/best-practices.html",
)
_RAISING = ("iam:PutRolePolicy", "iam:AttachRolePolicy", "iam:CreatePolicyVersion", "iam:PassRole", "sts:AssumeRole")
_EVERY_ROLE = "arn:aws:iam::${AWS::AccountId}:role/any/other"


def look(case: Case) -> Iterator[Seen]:
    """Roles that instances take, whatever starts them."""
    for role in case.deployment.of_type("AWS::IAM::Role"):
        if not case.identities.trusts(role, "ec2.amazonaws.com"):
            continue
        told = case.identities.statements(role)
        for action in _RAISING:
            found = case.identities.may(role, action, _EVERY_ROLE)
            if found is not None and not found.conditions and found in told:
                path = found.path if found.source is role else ()
                yield Hit(role, f"Instances with {role.logical_id} may {action} on any role.", path)
                break
