"""The metrics of an Auto Scaling group are off until they are switched on."""

from __future__ import annotations

from tests.support.findings import said
from tests.support.pieces import BALANCER, FLEET, VPC

RULE = "group-metrics-not-collected"
GROUP_ALARM = """
Rings:
  Type: AWS::CloudWatch::Alarm
  Properties:
    Namespace: AWS/AutoScaling
    MetricName: GroupInServiceInstances
    Dimensions: [{Name: AutoScalingGroupName, Value: !Ref Fleet}]
"""


def test_off_by_default() -> None:
    (text,) = said(RULE, VPC + BALANCER + FLEET + GROUP_ALARM)
    assert text.startswith("error: Rings looks at GroupInServiceInstances of Fleet, which does not collect it.")


def test_all_of_them() -> None:
    assert (
        said(
            RULE,
            (VPC + BALANCER + FLEET + GROUP_ALARM).replace(
                "MinSize: 2", "MinSize: 2\n    MetricsCollection: [{Granularity: 1Minute}]"
            ),
        )
        == []
    )
