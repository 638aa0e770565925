"""Who publishes which metric, and what alarms and scaling policies look at.

An alarm on a metric that nobody publishes never rings: namespace, name and dimensions are held against what AWS's
services publish for the resources here, and what the agents on the instances are told to publish.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bicoastal.cfn.deployment import Deployment, Resource
from bicoastal.cfn.values import Value
from bicoastal.review.model.machine import Machine
from bicoastal.review.verdict import number, where


@dataclass(frozen=True)
class Metric:
    """A metric that an alarm looks at."""

    namespace: str
    name: str
    dimensions: Mapping[str, str]
    """Spelled-out values."""
    statistic: str
    period: float
    id: str = ""


@dataclass(frozen=True)
class Alarm:
    """An alarm with what it looks at, whichever way it is written."""

    resource: Resource
    metrics: tuple[Metric, ...]
    expressions: Mapping[str, str]
    """Id to metric math."""
    result: str
    """The expression that decides, or empty for a plain metric."""
    threshold: float | None
    operator: str
    missing_data: str
    actions: tuple[Value, ...]

    def watches(self, namespace: str, *names: str) -> bool:
        """Whether it looks at one of the metrics."""
        return any(item.namespace == namespace and (not names or item.name in names) for item in self.metrics)

    @property
    def upward(self) -> bool:
        """Whether it rings for values that are too high."""
        return self.operator.startswith("GreaterThan")


class Signals:
    """The alarms of a deployment, and the metrics that exist."""

    def __init__(self, deployment: Deployment, machines: Mapping[int, Machine]) -> None:
        """`machines`: what the fleets boot, by the identity of the Auto Scaling group."""
        self._deployment = deployment
        self._machines = machines
        self.alarms = [self._alarm(item) for item in deployment.of_type("AWS::CloudWatch::Alarm")]

    def of(self, region: str) -> list[Alarm]:
        """The alarms of a region."""
        return [item for item in self.alarms if item.resource.region == region]

    def alarm(self, value: Value) -> Alarm | None:
        """The alarm that a value leads to."""
        target = self._deployment.resource(value)
        return next((item for item in self.alarms if item.resource is target), None)

    def _alarm(self, item: Resource) -> Alarm:
        metrics, expressions, result = [], {}, ""
        for query in item.items("Metrics"):
            if not isinstance(query, dict):
                continue
            if "Expression" in query:
                expressions[str(query.get("Id"))] = self._deployment.spelled(query["Expression"])
                if query.get("ReturnData", True) in (True, "true"):
                    result = expressions[str(query.get("Id"))]
            stat = query.get("MetricStat")
            if isinstance(stat, dict):
                body = stat.get("Metric")
                body = body if isinstance(body, dict) else {}
                metrics.append(self._metric(body, stat.get("Stat"), stat.get("Period"), str(query.get("Id"))))
        if item.get("MetricName") is not None:
            statistic = item.get("Statistic", default=item.get("ExtendedStatistic"))
            metrics.append(self._metric(item.properties, statistic, item.get("Period")))
        return Alarm(
            item,
            tuple(metrics),
            expressions,
            result,
            number(item.get("Threshold")),
            str(item.get("ComparisonOperator")),
            str(item.get("TreatMissingData", default="missing")),
            tuple(item.items("AlarmActions")) if item.get("ActionsEnabled") not in (False, "false") else (),
        )

    def _metric(self, body: Mapping[str, Any], statistic: Value, period: Value, id_: str = "") -> Metric:
        dimensions = body.get("Dimensions")
        return Metric(
            self._deployment.spelled(body.get("Namespace") or ""),
            self._deployment.spelled(body.get("MetricName") or ""),
            {
                str(entry.get("Name")): self._deployment.spelled(entry.get("Value") or "")
                for entry in (dimensions if isinstance(dimensions, list) else [])
                if isinstance(entry, dict)
            },
            str(statistic),
            number(period) or 0,
            id_,
        )

    # Who publishes.

    def unpublished(self, alarm: Alarm) -> Iterator[str]:
        """Why an alarm will never see data: a reason for each metric of it that nobody publishes."""
        for metric in alarm.metrics:
            reason = self._why_not(metric, alarm.resource.region)
            if reason:
                yield f"{where(alarm.resource)} looks at {metric.namespace} {metric.name}, {reason}"

    def _why_not(self, metric: Metric, region: str) -> str:
        if metric.namespace.startswith("AWS/"):
            return self._aws(metric, region)
        reasons = []
        for fleet, machine in self._fleets(region):
            reason = agent_publishes(self._deployment, fleet, machine, metric)
            if reason == "":
                return ""
            reasons.append(reason)
        if self._filtered(metric, region):
            return ""
        return reasons[0] if reasons else "which nothing in the region publishes"

    def _fleets(self, region: str) -> Iterator[tuple[Resource, Machine]]:
        for fleet in self._deployment.of_type("AWS::AutoScaling::AutoScalingGroup", region=region):
            machine = self._machines.get(id(fleet))
            if machine is not None:
                yield fleet, machine

    def _aws(self, metric: Metric, region: str) -> str:
        """Why AWS publishes no such metric: each dimension must lead to something of the alarm's region."""
        if metric.namespace == "AWS/Route53" and region != "us-east-1":
            return "which exists in us-east-1 only"
        known = _DIMENSIONS.get(metric.namespace)
        if known is None:
            return ""
        for name, value in metric.dimensions.items():
            if name not in known:
                return f"which has no dimension {name}"
            types = known[name]
            if types and not self._is_one(value, types, region, metric.namespace):
                return f"whose dimension {name} ({value}) is no such resource of {region}"
        if known and not metric.dimensions:
            return "without a dimension, over everything in the account"
        return ""

    def _is_one(self, spelled: str, types: tuple[str, ...], region: str, namespace: str) -> bool:
        regions = "" if namespace == "AWS/Route53" else region
        for item in self._deployment.of_type(*types, region=regions):
            plain = str(item.reference)[:-1]
            if spelled.startswith((f"{plain}}}", f"{plain}.")):
                return True
            name = self._deployment.name(item)
            if name is not None and self._deployment.spelled(name) == spelled:
                return True
        return False

    def _filtered(self, metric: Metric, region: str) -> bool:
        for item in self._deployment.of_type("AWS::Logs::MetricFilter", region=region):
            for index, _ in enumerate(item.items("MetricTransformations")):
                entry = item.get("MetricTransformations", index)
                named = isinstance(entry, dict) and (
                    self._deployment.spelled(entry.get("MetricName") or "") == metric.name
                    and self._deployment.spelled(entry.get("MetricNamespace") or "") == metric.namespace
                )
                if named and self._deployment.resource(item.get("LogGroupName")) is not None:
                    return True
        return False


_BALANCER = ("AWS::ElasticLoadBalancingV2::LoadBalancer",)
_FLEET = ("AWS::AutoScaling::AutoScalingGroup",)
_DIMENSIONS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "AWS/ApplicationELB": {
        "LoadBalancer": _BALANCER,
        "TargetGroup": ("AWS::ElasticLoadBalancingV2::TargetGroup",),
        "AvailabilityZone": (),
    },
    "AWS/AutoScaling": {"AutoScalingGroupName": _FLEET},
    "AWS/EC2": {"AutoScalingGroupName": _FLEET, "InstanceId": ("AWS::EC2::Instance",)},
    "AWS/RDS": {
        "DBInstanceIdentifier": ("AWS::RDS::DBInstance",),
        "DBClusterIdentifier": ("AWS::RDS::DBCluster",),
    },
    "AWS/CertificateManager": {"CertificateArn": ("AWS::CertificateManager::Certificate",)},
    "AWS/Route53": {"HealthCheckId": ("AWS::Route53::HealthCheck",)},
}


def agent_publishes(  # noqa: PLR0911 - one return for each reason
    deployment: Deployment, fleet: Resource, machine: Machine, metric: Metric
) -> str:
    """Why a fleet's CloudWatch agent does not publish a metric, or an empty text if it does."""
    section = machine.agent.get("metrics")
    if not isinstance(section, dict):
        return "which nobody publishes: the fleet's agent is not told to publish metrics"
    if section.get("namespace", "CWAgent") != metric.namespace:
        return f"but the fleet's agent publishes in {section.get('namespace', 'CWAgent')}"
    collected = section.get("metrics_collected")
    names = set(_collected(collected if isinstance(collected, dict) else {}))
    by_program = "statsd" in (collected or {}) and metric.name.partition("_")[0] not in PLUGINS
    if metric.name not in names and not by_program:
        return "which the fleet's agent does not collect"
    wanted = set(metric.dimensions)
    shapes = [set(shape) for shape in section.get("aggregation_dimensions") or [] if isinstance(shape, list)]
    appended = section.get("append_dimensions")
    plain = isinstance(appended, dict) and wanted == set(appended) and metric.name.partition("_")[0] in _UNDIVIDED
    if wanted not in shapes and not plain:
        return f"which the agent does not aggregate on {', '.join(sorted(wanted)) or 'no dimension'}"
    if not isinstance(appended, dict) or not wanted <= set(appended):
        return f"to which the agent does not append {', '.join(sorted(wanted))}"
    for name, value in metric.dimensions.items():
        if name == "AutoScalingGroupName" and value != deployment.spelled(fleet.reference):
            return f"for {value}, which is not the fleet {fleet.logical_id}"
    return ""


PLUGINS = frozenset({"cpu", "disk", "diskio", "mem", "net", "netstat", "processes", "swap"})
"""What the agent measures itself; any other name may come from a program by StatsD."""


_UNDIVIDED = frozenset({"mem", "netstat", "processes", "swap"})
"""Plugins with one value for a host: their metrics bear what is appended, and no dimension of their own."""


def _collected(sections: Mapping[str, Any]) -> Iterator[str]:
    """Names of metrics as the agent publishes them: `mem` with `used_percent` becomes `mem_used_percent`."""
    for plugin, body in sections.items():
        measurements = body.get("measurement") if isinstance(body, dict) else None
        for entry in measurements or []:
            name = entry.get("name") if isinstance(entry, dict) else entry
            renamed = entry.get("rename") if isinstance(entry, dict) else None
            if isinstance(name, str):
                yield str(renamed or (name if name.startswith(f"{plugin}_") else f"{plugin}_{name}"))


def compare(value: float, operator: str, threshold: float) -> bool:
    """CloudWatch's comparison operators."""
    equal = "OrEqualTo" in operator and value == threshold
    return equal or (value > threshold if operator.startswith("GreaterThan") else value < threshold)
