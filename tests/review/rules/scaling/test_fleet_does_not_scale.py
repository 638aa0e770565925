"""A range of sizes without a policy is a size."""

from __future__ import annotations

from tests.support.findings import said
from tests.support.pieces import BALANCER, FLEET, VPC

RULE = "fleet-does-not-scale"
POLICY = """
More:
  Type: AWS::AutoScaling::ScalingPolicy
  Properties: {AutoScalingGroupName: !Ref Fleet, PolicyType: StepScaling}
"""


def test_no_policy() -> None:
    (text,) = said(RULE, VPC + BALANCER + FLEET)
    assert text.startswith("warning: No policy scales Fleet.")


def test_a_policy() -> None:
    assert said(RULE, VPC + BALANCER + FLEET + POLICY) == []


def test_a_policy_of_a_group_that_is_not_known_may_be_its_own() -> None:
    assert (
        said(
            RULE,
            (VPC + BALANCER + FLEET + POLICY).replace(
                "AutoScalingGroupName: !Ref Fleet", "AutoScalingGroupName: !Ref Group"
            ),
        )
        == []
    )
