"""An instance that fetches what it runs must be allowed to."""

from __future__ import annotations

from tests.support.findings import said
from tests.support.pieces import BALANCER, FLEET, ROLE, VPC

RULE = "role-cannot-fetch-release"


def test_another_bucket() -> None:
    (text,) = said(
        RULE,
        VPC
        + BALANCER
        + FLEET.replace(
            "SecurityGroupIds", "IamInstanceProfile: {Arn: !GetAtt Profile.Arn}\n      SecurityGroupIds"
        ).replace("/opt/app/serve --port 8080", "aws s3 cp s3://releases/app.tar .")
        + ROLE.replace("STATEMENT", '{Effect: Allow, Action: s3:GetObject, Resource: "arn:aws:s3:::other/*"}'),
    )
    assert text.startswith("error: User data fetches s3://releases/app.tar, and Role may not s3:GetObject it.")


def test_its_own() -> None:
    assert (
        said(
            RULE,
            VPC
            + BALANCER
            + FLEET.replace(
                "SecurityGroupIds", "IamInstanceProfile: {Arn: !GetAtt Profile.Arn}\n      SecurityGroupIds"
            ).replace("/opt/app/serve --port 8080", "aws s3 cp s3://releases/app.tar .")
            + ROLE.replace("STATEMENT", '{Effect: Allow, Action: "s3:Get*", Resource: "arn:aws:s3:::releases/*"}'),
        )
        == []
    )


def test_a_bucket_that_is_not_known() -> None:
    assert (
        said(
            RULE,
            VPC
            + BALANCER
            + FLEET.replace(
                "SecurityGroupIds", "IamInstanceProfile: {Arn: !GetAtt Profile.Arn}\n      SecurityGroupIds"
            ).replace("/opt/app/serve --port 8080", "aws s3 cp s3://$BUCKET/app.tar .")
            + ROLE.replace("STATEMENT", '{Effect: Allow, Action: s3:GetObject, Resource: "arn:aws:s3:::other/*"}'),
        )
        == []
    )
