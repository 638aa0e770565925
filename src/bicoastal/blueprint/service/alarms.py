"""What somebody is told about a region's service: alarms on the region's topic, each with what it means.

Missing data is judged one by one: no requests is no error, but no healthy host to count is a lost service, and an
agent that went silent leaves scaling blind. Shares of errors take the figures of several stacks and are in
`monitoring`, but for one: `VersionFails` also decides whether a new version stays, and CloudFormation looks for it
beside the fleet that it changes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bicoastal.blueprint.service.agent import DISK_METRIC, MEMORY_METRIC
from bicoastal.blueprint.service.balancer import Balancer
from bicoastal.blueprint.service.firewall import acl_metric
from bicoastal.blueprint.service.fleet import LOGICAL_ID, TEMPLATE_ID, Fleet, burstable
from bicoastal.blueprint.stack import Stack
from bicoastal.blueprint.telemetry import metric_namespace
from bicoastal.cfn.intrinsics import REGION, Value
from bicoastal.cfn.manifest import Watch

_OK: Final = "notBreaching"
_BAD: Final = "breaching"
_UNKNOWN: Final = "missing"
_ABOVE: Final = "GreaterThanThreshold"
_BELOW: Final = "LessThanThreshold"
CERTIFICATE_DAYS: Final = 30
"""ACM renews 60 days before the end: at 30 it has been failing for a month."""
VERSION_FAILS: Final = "VersionFails"
DEAD_PERCENT: Final = 2
"""A server that dies meets its share of the requests for the 14 s until two checks have failed: 4 % of a minute's for
one of six, 12 % for one of two. One that leaves in a rolling update or a scale-in is drained, and meets none."""
WRONG_PERCENT: Final = 50
"""Above what a read-only standby answers to writes."""
FEW_REQUESTS: Final = 20
"""A minute, below which a share says nothing. Route 53's checkers alone ask more often, in every region."""


@dataclass(frozen=True)
class _Watch:
    """A metric, and when it is wrong: `threshold` passed for `periods` of `period` seconds."""

    logical_id: str
    meaning: str
    namespace: str
    metric: str
    dimensions: Sequence[Value]
    statistic: str
    comparison: str
    threshold: float
    periods: int
    missing: str
    period: int = 60


def alarms(stack: Stack, balancer: Balancer, fleet: Fleet, *, topic: Value) -> None:
    """Alarms on the balancer, the fleet, the web ACL and the certificate."""
    watches = [
        *_balancer(balancer),
        *_fleet(stack, fleet),
        _web_acl(stack),
        _certificate(balancer),
    ]
    for watch in watches:
        stack.add(watch.logical_id, "AWS::CloudWatch::Alarm", _properties(stack, watch, topic))
    _version_fails(stack, balancer, topic)
    _launches(stack, fleet, topic)


def _balancer(balancer: Balancer) -> list[_Watch]:
    elb, targets = "AWS/ApplicationELB", balancer.target_dimensions
    return [
        _Watch(
            "NoHealthyHosts",
            "No instance passes the health check: the region serves nothing, and DNS is moving its users.",
            elb, "HealthyHostCount", targets, "Maximum", _BELOW, 1, 1, _BAD,
        ),
        _Watch(
            "UnhealthyHosts",
            "An instance has failed its health check for five minutes, and is not replaced, or its successors fail "
            "as well.",
            elb, "UnHealthyHostCount", targets, "Minimum", _ABOVE, 0, 5, _OK,
        ),
        _Watch(
            "SlowResponses",
            "One request in a hundred takes longer than two seconds.",
            elb, "TargetResponseTime", targets, "p99", _ABOVE, 2, 5, _OK,
        ),
    ]  # fmt: skip


def _fleet(stack: Stack, fleet: Fleet) -> list[_Watch]:
    ours = metric_namespace(stack.spec)
    watches = [
        _Watch(
            "MemoryHigh",
            "An instance uses over 90 % of its memory, or none has told for ten minutes, and scaling does not see "
            "memory.",
            ours, MEMORY_METRIC, fleet.dimensions, "Maximum", _ABOVE, 90, 10, _BAD,
        ),
        _Watch(
            "DiskHigh",
            "An instance's disk is over 85 % full.",
            ours, DISK_METRIC, fleet.dimensions, "Maximum", _ABOVE, 85, 5, _OK,
        ),
    ]  # fmt: skip
    if burstable(stack.spec):
        watches.append(
            _Watch(
                "SurplusCredits",
                "Instances have run above their baseline for so long that AWS charges for surplus credits: use a "
                "larger type.",
                "AWS/EC2", "CPUSurplusCreditsCharged", fleet.dimensions, "Maximum", _ABOVE, 0, 1, _OK, period=3600,
            )
        )  # fmt: skip
    return watches


def _web_acl(stack: Stack) -> _Watch:
    return _Watch(
        "BlockedRequests",
        "The web ACL blocks over a hundred requests a minute: an attack, or a rule that takes users for one. Its log "
        "says which.",
        "AWS/WAFV2",
        "BlockedRequests",
        [
            {"Name": "Region", "Value": REGION},
            {"Name": "Rule", "Value": "ALL"},
            {"Name": "WebACL", "Value": acl_metric(stack.spec)},
        ],
        "Sum", _ABOVE, 500, 3, _OK, period=300,
    )  # fmt: skip


def _certificate(balancer: Balancer) -> _Watch:
    return _Watch(
        "CertificateExpiry",
        f"The certificate ends in less than {CERTIFICATE_DAYS} days and was not renewed: is its validation record "
        "still in the zone, and the zone still delegated?",
        "AWS/CertificateManager",
        "DaysToExpiry",
        [{"Name": "CertificateArn", "Value": balancer.certificate.ref}],
        "Minimum", _BELOW, CERTIFICATE_DAYS, 1, _UNKNOWN, period=86400,
    )  # fmt: skip


def _properties(stack: Stack, watch: _Watch, topic: Value) -> Mapping[str, Value]:
    statistic = "ExtendedStatistic" if watch.statistic.startswith("p") else "Statistic"
    return {
        "AlarmName": _name(stack, watch.logical_id),
        "AlarmDescription": watch.meaning,
        "Namespace": watch.namespace,
        "MetricName": watch.metric,
        "Dimensions": list(watch.dimensions),
        statistic: watch.statistic,
        "Period": watch.period,
        "EvaluationPeriods": watch.periods,
        "DatapointsToAlarm": watch.periods,
        "ComparisonOperator": watch.comparison,
        "Threshold": watch.threshold,
        "TreatMissingData": watch.missing,
        "AlarmActions": [topic],
        "OKActions": [topic],
    }


def _version_fails(stack: Stack, balancer: Balancer, topic: Value) -> None:
    """One minute is enough: it is the users' minute, and a version that is taken back for nothing can be sent again.

    Unhealthy hosts are not counted: in every rolling update there are some, which boot.
    """
    inputs = {
        "requests": ("RequestCount", [balancer.dimension]),
        "dead": ("HTTPCode_ELB_5XX_Count", [balancer.dimension]),
        "wrong": ("HTTPCode_Target_5XX_Count", balancer.target_dimensions),
    }
    verdict = (
        f"IF(requests > {FEW_REQUESTS} AND (100 * FILL(dead, 0) / requests > {DEAD_PERCENT}"
        f" OR 100 * FILL(wrong, 0) / requests > {WRONG_PERCENT}), 1, 0)"
    )
    queries = [
        {
            "Id": name,
            "ReturnData": False,
            "MetricStat": {
                "Metric": {"Namespace": "AWS/ApplicationELB", "MetricName": metric, "Dimensions": dimensions},
                "Period": 60,
                "Stat": "Sum",
            },
        }
        for name, (metric, dimensions) in inputs.items()
    ]
    stack.add(
        VERSION_FAILS,
        "AWS::CloudWatch::Alarm",
        {
            "AlarmName": _name(stack, VERSION_FAILS),
            "AlarmDescription": f"In one minute, more than {DEAD_PERCENT} % of the requests found a server dead or "
            f"silent, or more than {WRONG_PERCENT} % were answered by an error. A version that `deploy` still watches "
            "is taken back.",
            "Metrics": [{"Id": "verdict", "Label": VERSION_FAILS, "Expression": verdict, "ReturnData": True}, *queries],
            "EvaluationPeriods": 1,
            "DatapointsToAlarm": 1,
            "ComparisonOperator": "GreaterThanThreshold",
            "Threshold": 0,
            "TreatMissingData": _OK,
            "AlarmActions": [topic],
            "OKActions": [topic],
        },
    )
    if stack.spec.app.watch_minutes:
        stack.watch = Watch(VERSION_FAILS, (TEMPLATE_ID, LOGICAL_ID), stack.spec.app.watch_minutes)


def _launches(stack: Stack, fleet: Fleet, topic: Value) -> None:
    stack.add(
        "FailedLaunches",
        "AWS::Events::Rule",
        {
            "Description": "An instance could not be launched or ended: no capacity, a broken image, a missing right.",
            "EventPattern": {
                "source": ["aws.autoscaling"],
                "detail-type": ["EC2 Instance Launch Unsuccessful", "EC2 Instance Terminate Unsuccessful"],
                "detail": {"AutoScalingGroupName": [fleet.name]},
            },
            "Targets": [{"Id": "AlertTopic", "Arn": topic}],
        },
    )


def _name(stack: Stack, logical_id: str) -> str:
    words = "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in logical_id)
    return f"{stack.spec.prefix}{words}"
