"""What a role may do: allows, denies, boundaries, attached policies, wildcards."""

import pytest

from bicoastal.review.model.identity import Identities, glob
from tests.support.templates import deployment_of, resource

ROLES = """
  Bucket: {Type: AWS::S3::Bucket, Properties: {BucketName: files}}
  Limit:
    Type: AWS::IAM::ManagedPolicy
    Properties:
      PolicyDocument: {Statement: [{Effect: Allow, Action: ["s3:*", "logs:*"], Resource: "*"}]}
  Role:
    Type: AWS::IAM::Role
    Properties:
      PermissionsBoundary: !Ref Limit
      AssumeRolePolicyDocument:
        Statement: {Effect: Allow, Principal: {Service: ec2.amazonaws.com}, Action: "sts:AssumeRole"}
      Policies:
        - PolicyName: own
          PolicyDocument:
            Statement:
              - {Effect: Allow, Action: "s3:Get*", Resource: !Sub "${Bucket.Arn}/*"}
              - {Effect: Allow, Action: "rds:*", Resource: "*"}
              - {Effect: Allow, Action: "logs:*", Resource: "*"}
              - {Effect: Deny, Action: "logs:Delete*", Resource: "*"}
  Attached:
    Type: AWS::IAM::Policy
    Properties:
      Roles: [!Ref Role]
      PolicyDocument: {Statement: [{Effect: Allow, NotAction: "s3:*", Resource: "*"}]}
"""


@pytest.mark.parametrize(
    ("action", "on", "allowed"),
    [
        ("s3:GetObject", "arn:aws:s3:::files/a", True),
        ("s3:GetObject", "arn:aws:s3:::other/a", False),
        ("s3:PutObject", "arn:aws:s3:::files/a", False),
        ("logs:PutLogEvents", "", True),
        ("logs:DeleteLogGroup", "", False),
        ("rds:RebootDBInstance", "", False),
    ],
)
def test_allowed_by_a_policy_within_the_boundary_and_not_denied(action: str, on: str, *, allowed: bool) -> None:
    deployment = deployment_of(ROLES)
    identities = Identities(deployment)
    assert (identities.may(resource(deployment, "Role"), action, on) is not None) is allowed


def test_policies_that_attach_themselves_count() -> None:
    deployment = deployment_of(ROLES.replace("      PermissionsBoundary: !Ref Limit\n", ""))
    role = resource(deployment, "Role")
    found = Identities(deployment).may(role, "ec2:RunInstances")
    assert found is not None
    assert found.source.logical_id == "Attached"
    assert Identities(deployment).trusts(role, "ec2.amazonaws.com")
    assert not Identities(deployment).trusts(role, "ssm.amazonaws.com")


def test_wildcards() -> None:
    assert glob("s3:Get*", "s3:getobject")
    assert glob("arn:aws:s3:::a?c/*", "arn:aws:s3:::abc/d/e")
    assert not glob("s3:Get.*", "s3:GetObject")
