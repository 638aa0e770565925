"""A topic that nobody subscribed to is a letter box without an owner."""

from __future__ import annotations

from tests.support.findings import said

RULE = "topic-without-subscriber"


def test_nobody() -> None:
    (text,) = said(
        RULE,
        """
Topic: {Type: AWS::SNS::Topic}
Rings:
  Type: AWS::CloudWatch::Alarm
  Properties: {Namespace: Shop, MetricName: queue, Statistic: Sum, Period: 60, AlarmActions: [!Ref Topic]}
""",
    )
    assert text.startswith("warning: Nobody is subscribed to Topic.")


def test_somebody() -> None:
    assert (
        said(
            RULE,
            """
Topic: {Type: AWS::SNS::Topic, Properties: {Subscription: [{Protocol: email, Endpoint: a@example.com}]}}
Rings:
  Type: AWS::CloudWatch::Alarm
  Properties: {Namespace: Shop, MetricName: queue, Statistic: Sum, Period: 60, AlarmActions: [!Ref Topic]}
""",
        )
        == []
    )


def test_a_topic_that_no_alarm_tells() -> None:
    assert (
        said(
            RULE,
            """
Topic: {Type: AWS::SNS::Topic}
Rings:
  Type: AWS::CloudWatch::Alarm
  Properties: {Namespace: Shop, MetricName: queue, Statistic: Sum, Period: 60, AlarmActions: []}
""",
        )
        == []
    )
