"""An instance that is told of a secret must be allowed to read it."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.model.rights import allowed
from bicoastal.review.rule import Hit, Rule, Seen

RULE = Rule(
    "role-cannot-read-secret",
    Severity.ERROR,
    "Instances may not read the secret that they are told of",
    "They start, fail to log in, and are replaced again and again.",
    "Allow secretsmanager:GetSecretValue on the secret.",
    ("AWS::SecretsManager::Secret",),
    "https://docs.aws.amazon.com/secretsmanager/latest/userguide/auth-and-access_examples.html",
)
ACTION = "secretsmanager:GetSecretValue"


def look(case: Case) -> Iterator[Seen]:
    """Secrets in the user data of fleets with a role that is here."""
    for region in case.deployment.regions:
        for fleet in case.fleets(region):
            if fleet.role is None or fleet.template is None:
                continue
            for secret in case.deployment.mentioned(fleet.data("UserData")):
                if secret.type != "AWS::SecretsManager::Secret":
                    continue
                arn = case.deployment.spelled(secret.reference)
                if allowed(case.deployment, case.identities, fleet.role, ACTION, arn, secret) is False:
                    text = f"{fleet.template.logical_id} is told of {secret.logical_id}, and {fleet.role.logical_id}"
                    yield Hit(fleet.role, f"{text} may not read it.")
