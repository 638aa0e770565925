"""Who publishes which metric."""

import pytest

from bicoastal.review.model.machine import machine_of
from bicoastal.review.model.signals import Signals
from tests.support.templates import deployment_of, resource

FLEET = """
  Template:
    Type: AWS::EC2::LaunchTemplate
    Properties:
      LaunchTemplateData:
        UserData:
          Fn::Base64: |
            #cloud-config
            write_files:
              - path: /etc/agent.json
                content: |
                  {"metrics": {"namespace": "App", "append_dimensions": {"AutoScalingGroupName": "x"},
                    "aggregation_dimensions": [["AutoScalingGroupName"]],
                    "metrics_collected": {"mem": {"measurement": ["used_percent"]}, "statsd": {}}}}
  Fleet: {Type: AWS::AutoScaling::AutoScalingGroup, Properties: {AutoScalingGroupName: fleet}}
  Database: {Type: AWS::RDS::DBInstance, Properties: {DBInstanceIdentifier: db}}
  Check: {Type: AWS::Route53::HealthCheck}
"""


def why(namespace: str, name: str, dimension: str, value: str, region: str = "us-east-1") -> list[str]:
    alarm = f"""
  Alarm:
    Type: AWS::CloudWatch::Alarm
    Properties:
      {{Namespace: {namespace}, MetricName: {name}, Statistic: Average, Period: 60, Threshold: 1,
       ComparisonOperator: GreaterThanThreshold, Dimensions: [{{Name: {dimension}, Value: {value}}}]}}
"""
    deployment = deployment_of(FLEET, alarm, region=region)
    fleet = resource(deployment, "Fleet")
    signals = Signals(deployment, {id(fleet): machine_of(deployment, resource(deployment, "Template"))})
    return list(signals.unpublished(signals.alarms[0]))


@pytest.mark.parametrize(
    "metric",
    [
        ("App", "mem_used_percent", "AutoScalingGroupName", "!Ref Fleet"),
        ("App", "mem_used_percent", "AutoScalingGroupName", "fleet"),
        ("App", "HeartbeatAge", "AutoScalingGroupName", "fleet"),
        ("AWS/RDS", "CPUUtilization", "DBInstanceIdentifier", "!Ref Database"),
        ("AWS/RDS", "CPUUtilization", "DBInstanceIdentifier", "db"),
    ],
)
def test_what_is_published_is_found(metric: tuple[str, str, str, str]) -> None:
    assert why(*metric) == []


@pytest.mark.parametrize(
    ("metric", "reason"),
    [
        (("App", "mem_free", "AutoScalingGroupName", "fleet"), "does not collect"),
        (("App", "mem_used_percent", "InstanceId", "i-1"), "does not aggregate on InstanceId"),
        (("CWAgent", "mem_used_percent", "AutoScalingGroupName", "fleet"), "publishes in App"),
        (("App", "mem_used_percent", "AutoScalingGroupName", "other"), "is not the fleet Fleet"),
        (("AWS/RDS", "CPUUtilization", "DBInstanceIdentifier", "other"), "is no such resource"),
        (("AWS/RDS", "CPUUtilization", "Instance", "db"), "has no dimension Instance"),
    ],
)
def test_what_nobody_publishes_says_why(metric: tuple[str, str, str, str], reason: str) -> None:
    (said,) = why(*metric)
    assert reason in said


def test_health_check_metrics_exist_in_one_region() -> None:
    metric = ("AWS/Route53", "HealthCheckStatus", "HealthCheckId", "!Ref Check")
    assert why(*metric) == []
    assert "us-east-1 only" in why(*metric, region="us-west-2")[0]
