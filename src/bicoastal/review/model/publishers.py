"""Why a metric will never have data, where that is certain: held against what AWS documents and what agents are told.

Unlike `Signals.unpublished`, which asks whether a deployment proves that a metric exists, this says only what cannot
be: anybody may publish what is not described here.
"""

from __future__ import annotations

from collections.abc import Mapping

from bicoastal.cfn.values import Reference, Unknown, Value
from bicoastal.review.case import Case
from bicoastal.review.model.signals import PLUGINS, Metric, agent_publishes

_ELB = frozenset({"LoadBalancer", "TargetGroup", "AvailabilityZone"})
_KNOWN: Mapping[str, frozenset[str]] = {
    "AWS/ApplicationELB": _ELB,
    "AWS/NetworkELB": _ELB,
    "AWS/AutoScaling": frozenset({"AutoScalingGroupName"}),
    "AWS/EC2": frozenset({"AutoScalingGroupName", "ImageId", "InstanceId", "InstanceType"}),
    "AWS/RDS": frozenset(
        {"DBInstanceIdentifier", "DBClusterIdentifier", "Role", "DatabaseClass", "EngineName", "SourceRegion"}
        | {"DbClusterIdentifier", "EngineMode", "VolumeId", "ClusterIdentifier"}
    ),
    "AWS/Route53": frozenset({"HealthCheckId", "Region", "HostedZoneId"}),
}
"""The dimensions of each namespace, from the services' pages on their metrics."""
_REQUIRED: Mapping[str, frozenset[str]] = {
    "HealthyHostCount": frozenset({"LoadBalancer", "TargetGroup"}),
    "UnHealthyHostCount": frozenset({"LoadBalancer", "TargetGroup"}),
    "RequestCountPerTarget": frozenset({"TargetGroup"}),
}
"""What metrics of a load balancer cannot be looked at without."""
_GIVEN_BY: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "LoadBalancer": ("LoadBalancer", ("LoadBalancerFullName", "LoadBalancerName")),
    "TargetGroup": ("TargetGroup", ("TargetGroupFullName",)),
    "AutoScalingGroupName": ("AutoScalingGroup", ("",)),
    "DBInstanceIdentifier": ("DBInstance", ("", "DBInstanceIdentifier")),
    "HealthCheckId": ("HealthCheck", ("", "HealthCheckId")),
    "InstanceId": ("Instance", ("", "InstanceId")),
}
"""Dimension to the resource type's last word, and the attributes that give what the service publishes."""


def impossible(case: Case, metric: Metric, dimensions: Mapping[str, Value], region: str) -> str:
    """Why a metric of a region never has data; empty where it may have. `dimensions`: values as evaluated."""
    if metric.namespace.startswith("AWS/"):
        return _of_aws(case, metric, dimensions, region)
    return _of_programs(case, metric, dimensions, region)


def _of_aws(case: Case, metric: Metric, dimensions: Mapping[str, Value], region: str) -> str:
    if metric.namespace == "AWS/Route53" and region != "us-east-1":
        return f"{metric.namespace} publishes in us-east-1 only, not in {region}"
    known = _KNOWN.get(metric.namespace)
    for name in dimensions:
        if known is not None and name not in known:
            return f"{metric.namespace} has no dimension {name}"
    missing = _REQUIRED.get(metric.name, frozenset()) - set(dimensions)
    if metric.namespace == "AWS/ApplicationELB" and missing:
        return f"{metric.name} is published by {' and '.join(sorted(_REQUIRED[metric.name]))} only"
    reasons = (_value(case, name, value, region) for name, value in dimensions.items())
    return next(filter(None, reasons), "")


def _value(case: Case, name: str, value: Value, region: str) -> str:
    """Why a dimension's value can be none of the service's: a resource of another kind, place, or attribute."""
    if name not in _GIVEN_BY or not isinstance(value, Reference):
        return ""
    kind, attributes = _GIVEN_BY[name]
    target = case.deployment.resource(value)
    if target is None:
        return ""
    if target.type.rpartition("::")[2] != kind:
        return f"its dimension {name} is {target.logical_id}, which is of the type {target.type}"
    if target.region != region and name != "HealthCheckId":
        return f"its dimension {name} is {target.logical_id} of {target.region}, and metrics stay in their region"
    if value.attribute not in attributes and not set(value.attribute) & set(":/-"):
        given = value.attribute or "Ref, which is the ARN,"
        return f"its dimension {name} takes {attributes[0]} of {target.logical_id}, and not {given}".rstrip(",")
    return ""


def _of_programs(case: Case, metric: Metric, dimensions: Mapping[str, Value], region: str) -> str:
    counted = _of_filters(case, metric, region)
    if counted is not None:
        same = not dimensions or counted
        return "" if same else f"the metric filter that publishes it gives it no dimension {', '.join(dimensions)}"
    if any(isinstance(value, Unknown) for value in dimensions.values()):
        return ""
    reasons = []
    for fleet in case.fleets(region):
        section = fleet.machine.agent.get("metrics") if fleet.machine else None
        if fleet.machine is None or not isinstance(section, dict):
            return ""  # whoever starts these instances may publish anything
        reason = agent_publishes(case.deployment, fleet.resource, fleet.machine, metric)
        if not reason:
            return ""
        if section.get("namespace", "CWAgent") == metric.namespace:
            if "does not collect" in reason and metric.name.partition("_")[0] not in PLUGINS:
                return ""  # a program of the application may publish it in the same namespace
            reasons.append(reason.removeprefix("which ").removeprefix("but "))
        elif not agent_publishes(case.deployment, fleet.resource, fleet.machine, _moved(metric, section)):
            reasons.append(f"the agent publishes it in {section.get('namespace', 'CWAgent')}")
    return reasons[0] if reasons else ""


def _moved(metric: Metric, section: Mapping[str, object]) -> Metric:
    namespace = str(section.get("namespace", "CWAgent"))
    return Metric(namespace, metric.name, metric.dimensions, metric.statistic, metric.period, metric.id)


def _of_filters(case: Case, metric: Metric, region: str) -> bool | None:
    """Whether a metric filter that publishes it gives it dimensions; None where there is no such filter."""
    for item in case.deployment.of_type("AWS::Logs::MetricFilter", region=region):
        for entry in item.items("MetricTransformations"):
            if isinstance(entry, dict) and (
                case.deployment.spelled(entry.get("MetricName") or "") == metric.name
                and case.deployment.spelled(entry.get("MetricNamespace") or "") == metric.namespace
            ):
                return bool(entry.get("Dimensions"))
    return None
