"""An alarm that tells nobody is a graph that nobody looks at."""

from __future__ import annotations

from tests.support.findings import said

RULE = "alarm-without-action"


def test_nobody_is_told() -> None:
    (text,) = said(
        RULE,
        """
Topic: {Type: AWS::SNS::Topic}
Rings:
  Type: AWS::CloudWatch::Alarm
  Properties: {Namespace: Shop, MetricName: queue, Statistic: Sum, Period: 60}
""",
    )
    assert text.startswith("warning: Rings has no action, and nothing here reads it.")


def test_a_topic_is_told() -> None:
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


def test_a_composite_alarm_reads_it() -> None:
    assert (
        said(
            RULE,
            """
Topic: {Type: AWS::SNS::Topic}
Rings:
  Type: AWS::CloudWatch::Alarm
  Properties: {Namespace: Shop, MetricName: queue, Statistic: Sum, Period: 60, AlarmName: rings}
All: {Type: AWS::CloudWatch::CompositeAlarm, Properties: {AlarmRule: ALARM(rings)}}
""",
        )
        == []
    )


def test_it_is_said_to_tell_nobody() -> None:
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
