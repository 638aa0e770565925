"""The role that opens everything in an emergency is the one that is stolen."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.rule import Hit, Rule, Seen

RULE = Rule(
    "emergency-access-without-mfa",
    Severity.WARNING,
    "A role that opens sessions on instances can be taken without a second factor",
    "A stolen access key is enough to be on every instance.",
    "Require aws:MultiFactorAuthPresent in the role's trust.",
    ("AWS::IAM::Role",),
    "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_mfa_configure-api-require.html",
)
_OPENING = ("ssm:StartSession", "ssm:SendCommand", "ec2-instance-connect:SendSSHPublicKey")


def look(case: Case) -> Iterator[Seen]:
    """Roles that people of an account take, by what they may do."""
    for role in case.deployment.of_type("AWS::IAM::Role"):
        people = [
            one
            for one in case.identities.trusted(role)
            if one.effect == "Allow" and any(name.startswith("arn:") and ":iam:" in name for name in one.principals)
        ]
        unguarded = [one for one in people if "multifactor" not in str(one.conditions).lower()]
        opens = next((name for name in _OPENING if case.identities.may(role, name)), "")
        if unguarded and opens and "saml" not in str(unguarded).lower():
            text = f"{role.logical_id} may {opens}, and {unguarded[0].principals[0]} takes it with a key alone."
            yield Hit(role, text, unguarded[0].path)
