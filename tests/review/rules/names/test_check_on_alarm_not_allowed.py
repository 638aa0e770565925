"""Route 53 reads an alarm's metric itself, and does so for plain alarms only."""

from __future__ import annotations

from tests.support.findings import said

RULE = "check-on-alarm-not-allowed"


def test_a_plain_one() -> None:
    assert (
        said(
            RULE,
            """
Busy:
  Type: AWS::CloudWatch::Alarm
  Properties: {AlarmName: busy, Namespace: Shop, MetricName: queue, Statistic: Average, Period: 60,
      EvaluationPeriods: 3}
Check:
  Type: AWS::Route53::HealthCheck
  Properties:
    HealthCheckConfig: {Type: CLOUDWATCH_METRIC, AlarmIdentifier: {Name: busy, Region: us-east-1}}
""",
        )
        == []
    )


def test_a_percentile() -> None:
    (text,) = said(
        RULE,
        """
Busy:
  Type: AWS::CloudWatch::Alarm
  Properties: {AlarmName: busy, Namespace: Shop, MetricName: queue, ExtendedStatistic: p90, Period: 60,
      EvaluationPeriods: 3}
Check:
  Type: AWS::Route53::HealthCheck
  Properties:
    HealthCheckConfig: {Type: CLOUDWATCH_METRIC, AlarmIdentifier: {Name: busy, Region: us-east-1}}
""",
    )
    assert text.startswith("error: Check follows Busy, which looks at a percentile.")


def test_some_of_many() -> None:
    (text,) = said(
        RULE,
        """
Busy:
  Type: AWS::CloudWatch::Alarm
  Properties: {AlarmName: busy, Namespace: Shop, MetricName: queue, Statistic: Sum, DatapointsToAlarm: 2,
      Period: 60, EvaluationPeriods: 3}
Check:
  Type: AWS::Route53::HealthCheck
  Properties:
    HealthCheckConfig: {Type: CLOUDWATCH_METRIC, AlarmIdentifier: {Name: busy, Region: us-east-1}}
""",
    )
    assert text.startswith("error: Check follows Busy, which wants 2 data points out of more.")


def test_an_alarm_of_somebody_else() -> None:
    assert (
        said(
            RULE,
            """
Busy:
  Type: AWS::CloudWatch::Alarm
  Properties: {AlarmName: busy, Namespace: Shop, MetricName: queue, ExtendedStatistic: p90, Period: 60,
      EvaluationPeriods: 3}
Check:
  Type: AWS::Route53::HealthCheck
  Properties:
    HealthCheckConfig: {Type: CLOUDWATCH_METRIC, AlarmIdentifier: {Name: theirs, Region: us-east-1}}
""",
        )
        == []
    )
