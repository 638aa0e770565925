"""A step policy acts when an alarm calls it, and not otherwise."""

from __future__ import annotations

from tests.support.findings import said
from tests.support.pieces import BALANCER, FLEET, VPC

RULE = "scaling-policy-nobody-calls"
POLICY = """
More:
  Type: AWS::AutoScaling::ScalingPolicy
  Properties: {AutoScalingGroupName: !Ref Fleet, PolicyType: StepScaling}
"""


def test_no_alarm() -> None:
    (text,) = said(RULE, VPC + BALANCER + FLEET + POLICY)
    assert text.startswith("error: No alarm's action is More.")


def test_target_tracking_calls_itself() -> None:
    assert (
        said(
            RULE,
            (VPC + BALANCER + FLEET + POLICY).replace("PolicyType: StepScaling", "PolicyType: TargetTrackingScaling"),
        )
        == []
    )
