"""When the fleet grows and shrinks (D16): on traffic AND a resource, each threshold of its own and per region.

Out: requests above theirs AND (CPU or memory above theirs). In: requests and CPU below at most half of these for a
quarter of an hour; memory can only forbid it. Requests are those of users: Route 53's probes are taken off.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from bicoastal.blueprint.service.agent import MEMORY_METRIC
from bicoastal.blueprint.service.balancer import Balancer
from bicoastal.blueprint.service.capacity import PROBES_PER_MINUTE
from bicoastal.blueprint.service.fleet import WARMUP_S, Fleet
from bicoastal.blueprint.stack import Resource, Stack
from bicoastal.blueprint.telemetry import metric_namespace
from bicoastal.cfn.intrinsics import Value, sub

OUT_MINUTES: Final = 2
IN_MINUTES: Final = 15
_PERIOD_S: Final = 60
_PROBES: Final = f"{PROBES_PER_MINUTE} / FILL(instances, {{minimum}})"
OUT: Final = (
    "IF(FILL(requests, 0) - {probes} > ${{ScaleOutRequests}}"
    " AND (FILL(cpu, 0) > ${{ScaleOutCpu}} OR FILL(memory, 0) > ${{ScaleOutMemory}}),"
    " (FILL(requests, 0) - {probes}) / ${{ScaleOutRequests}}, 0)"
)
"""How many times the traffic threshold is passed; 0 while only one of the two is high."""
IN: Final = (
    "IF(FILL(requests, 0) - {probes} < ${{ScaleInRequests}} AND FILL(cpu, 100) < ${{ScaleInCpu}} AND FILL(memory, "
    "100) <= ${{ScaleOutMemory}}, 1, 0)"
)


_STEPS: Final = ((0.0, 25), (0.5, 50), (1.0, 100))
"""From so much above the threshold on, so many percent more instances. One at a time would take a quarter of an hour
for a peak of three times the threshold, as each addition waits for the one before to warm up."""


@dataclass(frozen=True)
class Thresholds:
    """What a region scales on: requests per instance and minute, percent, percent."""

    requests: int
    cpu: int
    memory: int

    @property
    def lower(self) -> Thresholds:
        """Where it shrinks: half, so that what one instance fewer leaves on the others does not make it grow again."""
        return Thresholds(self.requests // 2, self.cpu // 2, self.memory)


def scaling(stack: Stack, fleet: Fleet, balancer: Balancer, *, topic: Value) -> None:
    """Policies, the alarms that run them, and the thresholds as parameters of each region."""
    _parameters(stack)
    probes = _PROBES.format(minimum=stack.spec.instances.min)
    grow, shrink = _grow(stack, fleet), _shrink(stack, fleet)
    inputs = _inputs(stack, fleet, balancer)
    stack.add(
        "ScaleOut",
        "AWS::CloudWatch::Alarm",
        _alarm(
            f"{stack.spec.prefix}-scale-out",
            f"Traffic is above its threshold, and so is CPU or memory, for {OUT_MINUTES} minutes: the fleet grows.",
            [*inputs, _expression(OUT.format(probes=probes), "Traffic and a resource are above their thresholds")],
            OUT_MINUTES,
            [grow.ref, topic],
        ),
        comment="A metric without data counts as 0: without requests ALB says nothing, and an unknown alone must not "
        "grow a fleet.",
    )
    stack.add(
        "ScaleIn",
        "AWS::CloudWatch::Alarm",
        _alarm(
            f"{stack.spec.prefix}-scale-in",
            f"Traffic and CPU are below half of their thresholds for {IN_MINUTES} minutes, memory is not above its "
            "own: the fleet shrinks. In alarm is the usual state of a quiet fleet, so nobody is told.",
            [*inputs, _expression(IN.format(probes=probes), "Traffic and CPU are low, and memory allows it")],
            IN_MINUTES,
            [shrink.ref],
        ),
        comment="CPU or memory without data counts as 100: a fleet that nobody sees does not shrink.",
    )


def thresholds(stack: Stack, region: str) -> Thresholds:
    """A region's thresholds of growing, as the spec has them."""
    scale = stack.spec.regions[region].scaling
    return Thresholds(scale.requests_per_minute, scale.cpu_percent, scale.memory_percent)


def _parameters(stack: Stack) -> None:
    out = {region: thresholds(stack, region) for region in stack.regions}
    per_region: Mapping[str, tuple[str, Mapping[str, int]]] = {
        "ScaleOutRequests": (
            "Requests of users per instance and minute above which the fleet may grow.",
            {region: item.requests for region, item in out.items()},
        ),
        "ScaleOutCpu": (
            "Percent of CPU above which the fleet grows, if traffic is high too.",
            {region: item.cpu for region, item in out.items()},
        ),
        "ScaleOutMemory": (
            "Percent of memory above which the fleet grows, if traffic is high too, and does not shrink.",
            {region: item.memory for region, item in out.items()},
        ),
        "ScaleInRequests": (
            "Requests of users per instance and minute below which the fleet may shrink; at most half of the other.",
            {region: item.lower.requests for region, item in out.items()},
        ),
        "ScaleInCpu": (
            "Percent of CPU below which the fleet may shrink; at most half of the other.",
            {region: item.lower.cpu for region, item in out.items()},
        ),
    }
    for name, (description, values) in per_region.items():
        texts = {region: str(value) for region, value in values.items()}
        stack.setting(name, texts, description, type_="Number", MinValue=1)


def _grow(stack: Stack, fleet: Fleet) -> Resource:
    uppers = [lower for lower, _ in _STEPS[1:]]
    steps = [
        {
            "MetricIntervalLowerBound": lower,
            **({"MetricIntervalUpperBound": upper} if upper is not None else {}),
            "ScalingAdjustment": percent,
        }
        for (lower, percent), upper in zip(_STEPS, [*uppers, None], strict=True)
    ]
    return stack.add(
        "ScaleOutPolicy",
        "AWS::AutoScaling::ScalingPolicy",
        {
            "AutoScalingGroupName": fleet.name,
            "PolicyType": "StepScaling",
            "AdjustmentType": "PercentChangeInCapacity",
            "MinAdjustmentMagnitude": 1,
            "MetricAggregationType": "Maximum",
            "EstimatedInstanceWarmup": WARMUP_S,
            "StepAdjustments": steps,
        },
    )


def _shrink(stack: Stack, fleet: Fleet) -> Resource:
    return stack.add(
        "ScaleInPolicy",
        "AWS::AutoScaling::ScalingPolicy",
        {
            "AutoScalingGroupName": fleet.name,
            "PolicyType": "StepScaling",
            "AdjustmentType": "ChangeInCapacity",
            "MetricAggregationType": "Maximum",
            "StepAdjustments": [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": -1}],
        },
    )


def _inputs(stack: Stack, fleet: Fleet, balancer: Balancer) -> list[Value]:
    return [
        _metric("requests", "AWS/ApplicationELB", "RequestCountPerTarget", "Sum", balancer.target_dimensions),
        _metric("instances", "AWS/AutoScaling", "GroupInServiceInstances", "Average", fleet.dimensions),
        _metric("cpu", "AWS/EC2", "CPUUtilization", "Average", fleet.dimensions),
        _metric("memory", metric_namespace(stack.spec), MEMORY_METRIC, "Average", fleet.dimensions),
    ]


def _metric(id_: str, namespace: str, name: str, statistic: str, dimensions: list[Value]) -> Value:
    return {
        "Id": id_,
        "ReturnData": False,
        "MetricStat": {
            "Metric": {"Namespace": namespace, "MetricName": name, "Dimensions": dimensions},
            "Period": _PERIOD_S,
            "Stat": statistic,
        },
    }


def _expression(text: str, label: str) -> Value:
    return {"Id": "verdict", "Label": label, "ReturnData": True, "Expression": sub(text)}


def _alarm(
    name: str, description: str, metrics: list[Value], minutes: int, actions: list[Value]
) -> Mapping[str, Value]:
    return {
        "AlarmName": name,
        "AlarmDescription": description,
        "Metrics": metrics,
        "EvaluationPeriods": minutes,
        "DatapointsToAlarm": minutes,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "Threshold": 1,
        "TreatMissingData": "notBreaching",
        "AlarmActions": actions,
    }
