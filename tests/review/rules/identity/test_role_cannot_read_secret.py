"""An instance that is told of a secret must be allowed to read it."""

from __future__ import annotations

from tests.support.findings import said
from tests.support.pieces import BALANCER, FLEET, ROLE, VPC

RULE = "role-cannot-read-secret"


def test_no_secret_is_named() -> None:
    assert (
        said(
            RULE,
            VPC
            + BALANCER
            + FLEET.replace(
                "SecurityGroupIds", "IamInstanceProfile: {Arn: !GetAtt Profile.Arn}\n      SecurityGroupIds"
            ).replace("/opt/app/serve --port 8080", "true")
            + ROLE.replace("STATEMENT", '{Effect: Allow, Action: s3:GetObject, Resource: "*"}')
            + "Password: {Type: AWS::SecretsManager::Secret}",
        )
        == []
    )


def test_a_policy_of_somebody_else_may_allow_it() -> None:
    assert (
        said(
            RULE,
            ROLE.replace("STATEMENT", "{Effect: Allow, Action: s3:GetObject, Resource: '*'}")
            + "Password: {Type: AWS::SecretsManager::Secret}",
        )
        == []
    )
