"""What keeps requests from being served, fleets from growing, and people from being told."""

from __future__ import annotations

from bench.faults.base import ref, sub
from bench.faults.fault import GONE, Fault

_FORWARD = [{"Type": "forward", "TargetGroupArn": ref("Targets")}]

FAULTS = (
    Fault("alarm-without-action", {("east", "StorageLow", "AlarmActions"): GONE}),
    Fault(
        "alarm-action-in-other-region",
        {("west", "StorageLow", "AlarmActions"): [sub("arn:aws:sns:us-east-1:${AWS::AccountId}:shop-alerts")]},
    ),
    Fault("group-metrics-not-collected", {("east", "Fleet", "MetricsCollection"): GONE}, "none"),
    Fault(
        "group-metrics-not-collected",
        {("west", "Fleet", "MetricsCollection", 0, "Metrics"): ["GroupDesiredCapacity"]},
        "others",
    ),
    Fault("topic-key-refuses-alarms", {("east", "Key", "KeyPolicy", "Statement", 1): GONE}, "policy"),
    Fault("topic-key-refuses-alarms", {("west", "Alerts", "KmsMasterKeyId"): "alias/aws/sns"}, "managed"),
    Fault("topic-without-subscriber", {("west", "Someone"): GONE}),
    Fault("scaling-policy-nobody-calls", {("east", "MemoryHigh", "AlarmActions"): [ref("Alerts")]}),
    Fault(
        "balancer-closed-to-users",
        {("east", "BalancerGroup", "SecurityGroupIngress", 1): GONE},
        "group",
    ),
    Fault("balancer-closed-to-users", {("west", "Balancer", "Subnets", 0): ref("AppSubnetA")}, "subnet"),
    Fault("target-group-without-targets", {("west", "Fleet", "TargetGroupARNs"): GONE}),
    Fault("balancer-in-one-zone", {("east", "PublicSubnetB", "AvailabilityZone"): "us-east-1a"}),
    Fault("fleet-outside-balancers-zones", {("west", "AppSubnetB", "AvailabilityZone"): "us-west-2c"}),
    Fault("target-port-not-served", {("east", "Targets", "Port"): 9090}),
    Fault("fleet-ignores-balancer-health", {("east", "Fleet", "HealthCheckType"): "EC2"}, "said"),
    Fault("fleet-ignores-balancer-health", {("west", "Fleet", "HealthCheckType"): GONE}, "default"),
    Fault("keep-alive-outlives-failover", {("east", "Balancer", "LoadBalancerAttributes", 0): GONE}, "default"),
    Fault(
        "keep-alive-outlives-failover",
        {("west", "Balancer", "LoadBalancerAttributes", 0, "Value"): "3600"},
        "said",
    ),
    Fault("plain-http-served", {("east", "PlainListener", "DefaultActions"): _FORWARD}),
    Fault("old-tls-accepted", {("west", "SecureListener", "SslPolicy"): "ELBSecurityPolicy-2016-08"}, "said"),
    Fault("old-tls-accepted", {("east", "SecureListener", "SslPolicy"): GONE}, "default"),
)
