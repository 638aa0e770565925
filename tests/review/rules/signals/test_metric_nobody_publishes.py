"""An alarm on a metric that nobody publishes never rings, and a policy on one never scales."""

from __future__ import annotations

from tests.support.findings import said

RULE = "metric-nobody-publishes"


def test_group_metrics_by_no_dimension_that_exists() -> None:
    (text,) = said(
        RULE,
        """
Topic: {Type: AWS::SNS::Topic}
Rings:
  Type: AWS::CloudWatch::Alarm
  Properties: {Namespace: AWS/RDS, MetricName: CPUUtilization, Statistic: Sum, Period: 60,
      Dimensions: [{Name: Database, Value: a}]}
""",
    )
    assert text.startswith("error: Rings looks at AWS/RDS CPUUtilization, and AWS/RDS has no dimension Database.")


def test_health_checks_have_metrics_in_one_region() -> None:
    (text,) = said(
        RULE,
        """
Topic: {Type: AWS::SNS::Topic}
Rings:
  Type: AWS::CloudWatch::Alarm
  Properties: {Namespace: AWS/Route53, MetricName: HealthCheckStatus, Statistic: Sum, Period: 60,
      Dimensions: [{Name: HealthCheckId, Value: a}]}
""",
        regions=("eu-west-1",),
    )
    assert text.startswith("error: Rings looks at AWS/Route53 HealthCheckStatus, and AWS/Route53 publishes in")


def test_somebody_may_publish_it() -> None:
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


def test_an_instance_that_is_not_here() -> None:
    assert (
        said(
            RULE,
            """
Topic: {Type: AWS::SNS::Topic}
Rings:
  Type: AWS::CloudWatch::Alarm
  Properties: {Namespace: AWS/EC2, MetricName: CPUUtilization, Statistic: Sum, Period: 60,
      Dimensions: [{Name: InstanceId, Value: !Ref Instance}]}
""",
        )
        == []
    )
