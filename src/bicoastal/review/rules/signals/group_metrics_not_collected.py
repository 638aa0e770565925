"""The metrics of an Auto Scaling group are off until they are switched on."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.cfn.deployment import Resource
from bicoastal.cfn.values import Unknown
from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.rule import Hit, Rule, Seen

RULE = Rule(
    "group-metrics-not-collected",
    Severity.ERROR,
    "An alarm looks at group metrics that are not switched on",
    "It has no data and never rings: nobody learns that the fleet is at its limit.",
    "Give the group MetricsCollection with Granularity 1Minute.",
    ("AWS::CloudWatch::Alarm",),
    "https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-metrics.html",
)


def look(case: Case) -> Iterator[Seen]:
    """Each alarm on AWS/AutoScaling against its group."""
    for alarm in case.signals.alarms:
        for metric in alarm.metrics:
            if metric.namespace != "AWS/AutoScaling" or not metric.name.startswith("Group"):
                continue
            for fleet in case.fleets(alarm.resource.region):
                own = case.deployment.spelled(fleet.resource.reference)
                named = metric.dimensions.get("AutoScalingGroupName") == own
                if named and not _collects(fleet.resource, metric.name):
                    text = f"{alarm.resource.logical_id} looks at {metric.name} of {fleet.resource.logical_id}"
                    yield Hit(fleet.resource, f"{text}, which does not collect it.", ("MetricsCollection",))


def _collects(group: Resource, name: str) -> bool:
    value = group.get("MetricsCollection")
    if isinstance(value, Unknown):
        return True
    lists = [entry.get("Metrics") for entry in group.items("MetricsCollection") if isinstance(entry, dict)]
    return any(not names or isinstance(names, Unknown) or name in names for names in lists)
