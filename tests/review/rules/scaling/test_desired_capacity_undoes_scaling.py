"""What a template says of the desired size is set again whenever the group is updated."""

from __future__ import annotations

from tests.support.findings import said
from tests.support.pieces import BALANCER, FLEET, VPC

RULE = "desired-capacity-undoes-scaling"
POLICY = """
More:
  Type: AWS::AutoScaling::ScalingPolicy
  Properties: {AutoScalingGroupName: !Ref Fleet, PolicyType: StepScaling}
"""


def test_a_size_beside_a_policy() -> None:
    (text,) = said(RULE, (VPC + BALANCER + FLEET + POLICY).replace("MinSize: 2", "MinSize: 2\n    DesiredCapacity: 3"))
    assert text.startswith("warning: Fleet is set to 3 and scaled by More.")


def test_a_size_without_a_policy() -> None:
    assert said(RULE, (VPC + BALANCER + FLEET).replace("MinSize: 2", "MinSize: 2\n    DesiredCapacity: 3")) == []


def test_a_size_that_is_the_largest() -> None:
    text = (VPC + BALANCER + FLEET + POLICY).replace("MinSize: 2", "MinSize: 0\n    DesiredCapacity: 2")
    text = text.replace("MaxSize: 6", "MaxSize: 2")
    assert "MaxSize: 2" in text
    assert said(RULE, text) == []
