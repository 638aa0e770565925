"""An alarm on a metric that nobody publishes never rings, and a policy on one never scales."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bicoastal.cfn.deployment import Resource
from bicoastal.cfn.values import Value
from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.model.publishers import impossible
from bicoastal.review.model.signals import Metric
from bicoastal.review.rule import Hit, Rule, Seen

RULE = Rule(
    "metric-nobody-publishes",
    Severity.ERROR,
    "An alarm or a scaling policy looks at a metric that nobody publishes",
    "It never has data: nothing rings, nothing scales, and nobody notices until it is needed.",
    "Take namespace, name and dimensions from what publishes it: the service's list of metrics, or the agent's"
    " `aggregation_dimensions`.",
    ("AWS::CloudWatch::Alarm", "AWS::AutoScaling::ScalingPolicy"),
    "https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch-Agent-Configuration-File-Details.html",
)
_TRACKED = ("TargetTrackingConfiguration", "CustomizedMetricSpecification")


def look(case: Case) -> Iterator[Seen]:
    """Each metric of each alarm, and of each policy that tracks one of its own."""
    for item in case.deployment.of_type("AWS::CloudWatch::Alarm"):
        if item.get("MetricName") is not None:
            yield from _judged(case, item, item.properties, ())
        for index, query in enumerate(item.items("Metrics")):
            body = query.get("MetricStat") if isinstance(query, dict) else None
            metric = body.get("Metric") if isinstance(body, dict) else None
            if isinstance(metric, dict):
                yield from _judged(case, item, metric, ("Metrics", index, "MetricStat", "Metric"))
    for item in case.deployment.of_type("AWS::AutoScaling::ScalingPolicy"):
        metric = item.get(*_TRACKED)
        if isinstance(metric, dict) and metric.get("MetricName") is not None:
            yield from _judged(case, item, metric, _TRACKED)


def _judged(case: Case, item: Resource, body: dict[str, Any], path: tuple[str | int, ...]) -> Iterator[Seen]:
    entries = body.get("Dimensions")
    dimensions: dict[str, Value] = {
        str(entry.get("Name")): entry.get("Value")
        for entry in (entries if isinstance(entries, list) else [])
        if isinstance(entry, dict)
    }
    spelled = {name: case.deployment.spelled(value) for name, value in dimensions.items()}
    name, namespace = body.get("MetricName"), body.get("Namespace")
    if not isinstance(name, str) or not isinstance(namespace, str):
        return
    reason = impossible(case, Metric(namespace, name, spelled, "", 0), dimensions, item.region)
    if reason:
        yield Hit(item, f"{item.logical_id} looks at {namespace} {name}, and {reason}.", (*path, "MetricName"))
