"""A role is of no use to a service that may not take it."""

from __future__ import annotations

from tests.support.findings import said
from tests.support.pieces import ROLE

RULE = "role-not-assumable"


def test_another_service() -> None:
    (text,) = said(
        RULE,
        ROLE.replace("STATEMENT", '{Effect: Allow, Action: "s3:*", Resource: "*"}').replace(
            "ec2.amazonaws", "ecs.amazonaws"
        ),
    )
    assert text.startswith("error: Profile uses Role, which trusts ecs.amazonaws.com.")


def test_its_own() -> None:
    assert said(RULE, ROLE.replace("STATEMENT", '{Effect: Allow, Action: "s3:*", Resource: "*"}')) == []


MACHINE = """
Machine:
  Type: AWS::StepFunctions::StateMachine
  Properties: {RoleArn: !GetAtt Taken.Arn, DefinitionString: "{}"}
Taken:
  Type: AWS::IAM::Role
  Properties:
    AssumeRolePolicyDocument:
      Statement: [{Effect: Allow, Principal: {Service: PRINCIPAL}, Action: "sts:AssumeRole"}]
"""


def test_its_own_with_a_region() -> None:
    for principal in ('!Sub "states.${AWS::Region}.amazonaws.com"', "states.eu-central-1.amazonaws.com"):
        assert said(RULE, MACHINE.replace("PRINCIPAL", principal)) == []
    (text,) = said(RULE, MACHINE.replace("PRINCIPAL", "events.eu-central-1.amazonaws.com"))
    assert "trusts events.eu-central-1.amazonaws.com" in text


def test_a_service_that_is_not_known() -> None:
    assert (
        said(
            RULE,
            ROLE.replace("STATEMENT", '{Effect: Allow, Action: "s3:*", Resource: "*"}').replace(
                "ec2.amazonaws.com", "!Ref Service"
            ),
        )
        == []
    )
