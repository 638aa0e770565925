"""What keeps DNS from leading users away."""

from __future__ import annotations

from bench.faults.base import alarm, of, ref
from bench.faults.fault import GONE, Fault

_CONFIG = "HealthCheckConfig"
_BY_ALARM = {
    "Type": "CLOUDWATCH_METRIC",
    "AlarmIdentifier": {"Name": "shop-full", "Region": "us-east-1"},
    "InsufficientDataHealthStatus": "Unhealthy",
}
_FULL = alarm("Shop", "queue_length", 9, [], Dimensions={}, AlarmName="shop-full")


def _calculated(threshold: int, *children: str) -> object:
    return of(
        "Route53::HealthCheck",
        HealthCheckConfig={
            "Type": "CALCULATED",
            "HealthThreshold": threshold,
            "ChildHealthChecks": [ref(child) for child in children],
        },
    )


FAULTS = (
    Fault("health-check-of-other-side", {("names", "EastFirst", "HealthCheckId"): ref("WestCheck")}),
    Fault(
        "health-check-asks-its-own-record",
        {("names", "EastCheck", _CONFIG, "FullyQualifiedDomainName"): "east.shop.example.com"},
    ),
    Fault(
        "routing-record-without-health-check",
        {
            ("names", f"{side}Users", "AliasTarget"): {
                "DNSName": ref(f"{side}Name"),
                "HostedZoneId": ref(f"{side}Zone"),
                "EvaluateTargetHealth": side == "East",
            }
            for side in ("East", "West")
        },
    ),
    Fault("failover-pair-incomplete", {("names", "WestSecond"): GONE}),
    Fault(
        "dns-ttl-over-budget",
        {
            ("names", f"{side}Users"): of(
                "Route53::RecordSet",
                HostedZoneId=ref("Zone"),
                Name="shop.example.com",
                Type="CNAME",
                SetIdentifier=side,
                Region=region,
                TTL="300",
                HealthCheckId=ref(f"{side}Check"),
                ResourceRecords=[ref(f"{side}Name")],
            )
            for side, region in (("East", "us-east-1"), ("West", "us-west-2"))
        },
    ),
    Fault("health-check-too-slow", {("names", "EastCheck", _CONFIG, "RequestInterval"): 30}, "interval"),
    Fault("health-check-too-slow", {("names", "WestCheck", _CONFIG, "FailureThreshold"): 10}, "threshold"),
    Fault("health-check-disabled", {("names", "WestCheck", _CONFIG, "Disabled"): True}),
    *(
        Fault(
            "check-on-alarm-not-allowed",
            {
                ("names", "Full"): {**_FULL, "Properties": {**_FULL["Properties"], **change}},
                ("names", "FullCheck"): of("Route53::HealthCheck", HealthCheckConfig=_BY_ALARM),
            },
            name,
        )
        for name, change in (
            ("some-of-many", {"EvaluationPeriods": 5, "DatapointsToAlarm": 3}),
            ("percentile", {"Statistic": None, "ExtendedStatistic": "p99"}),
            ("seconds", {"Period": 10}),
        )
    ),
    Fault(
        "check-blind-when-region-dies",
        {
            ("names", "Full"): _FULL,
            ("names", "EastCheck", _CONFIG): {**_BY_ALARM, "InsufficientDataHealthStatus": "LastKnownStatus"},
        },
    ),
    Fault("calculated-check-never-changes", {("names", "Both"): _calculated(3, "EastCheck", "WestCheck")}, "never"),
    Fault("calculated-check-never-changes", {("names", "Both"): _calculated(0, "EastCheck", "WestCheck")}, "always"),
    Fault(
        "calculated-check-of-calculated",
        {
            ("names", "Both"): _calculated(1, "EastCheck", "WestCheck"),
            ("names", "All"): _calculated(1, "Both", "WestCheck"),
        },
    ),
)
