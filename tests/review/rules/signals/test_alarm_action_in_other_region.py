"""An alarm calls topics and policies of its own region only."""

from __future__ import annotations

from tests.support.findings import said

RULE = "alarm-action-in-other-region"


def test_a_topic_elsewhere() -> None:
    (text,) = said(
        RULE,
        """
Topic: {Type: AWS::SNS::Topic}
Rings:
  Type: AWS::CloudWatch::Alarm
  Properties: {Namespace: Shop, MetricName: queue, Statistic: Sum, Period: 60,
      AlarmActions: ["arn:aws:sns:eu-west-1:123456789012:a"]}
""",
    )
    assert text.startswith("error: Rings of us-east-1 calls something of eu-west-1.")


def test_a_topic_of_its_own_region() -> None:
    assert (
        said(
            RULE,
            """
Topic: {Type: AWS::SNS::Topic}
Rings:
  Type: AWS::CloudWatch::Alarm
  Properties: {Namespace: Shop, MetricName: queue, Statistic: Sum, Period: 60, AlarmActions: [!Ref Topic]}
""",
        )
        == []
    )


def test_an_action_without_a_region() -> None:
    assert (
        said(
            RULE,
            """
Topic: {Type: AWS::SNS::Topic}
Rings:
  Type: AWS::CloudWatch::Alarm
  Properties: {Namespace: Shop, MetricName: queue, Statistic: Sum, Period: 60,
      AlarmActions: ["arn:aws:automate:us-east-1:ec2:stop"]}
""",
        )
        == []
    )
