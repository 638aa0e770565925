"""An encrypted topic takes messages only from services that may use its key."""

from __future__ import annotations

from tests.support.findings import said

RULE = "topic-key-refuses-alarms"


def test_aws_s_own_key() -> None:
    (text,) = said(
        RULE,
        """
Topic: {Type: AWS::SNS::Topic, Properties: {KmsMasterKeyId: alias/aws/sns}}
Rings:
  Type: AWS::CloudWatch::Alarm
  Properties: {Namespace: Shop, MetricName: queue, Statistic: Sum, Period: 60, AlarmActions: [!Ref Topic]}
""",
    )
    assert text.startswith("error: Rings tells Topic, and AWS's own key lets no alarm in.")


def test_no_key() -> None:
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


def test_a_key_of_somebody_else() -> None:
    assert (
        said(
            RULE,
            """
Topic: {Type: AWS::SNS::Topic, Properties: {KmsMasterKeyId: !Ref TheirKey}}
Rings:
  Type: AWS::CloudWatch::Alarm
  Properties: {Namespace: Shop, MetricName: queue, Statistic: Sum, Period: 60, AlarmActions: [!Ref Topic]}
""",
        )
        == []
    )
