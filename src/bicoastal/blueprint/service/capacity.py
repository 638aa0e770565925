"""Alarms that Route 53 reads to know whether a region has room for its own users (D5).

A Route 53 check on an alarm reads the metric itself, with the alarm's threshold, periods and statistic: no metric
math, no M-of-N, no percentile. It keeps what it read when it was made, so an alarm that changes must change its
name: names end in a hash of the definition and in the target group's number.

Load is counted in requests of the whole region, against what its largest fleet can take. Requests per instance would
remember the minutes before the fleet had grown: two instances that were swamped would send everybody away as soon as
six are there, though six have room.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Final

from bicoastal.blueprint.checks import INTERVAL_SECONDS
from bicoastal.blueprint.service.balancer import Balancer
from bicoastal.blueprint.stack import Output, Resource, Stack
from bicoastal.cfn.intrinsics import Value, sub
from bicoastal.spec.model import Spec

SLICES: Final = (100, 110, 120, 130)
"""Percent of the spec's at-capacity limit at which each quarter of the region's users moves."""
QUIET_MINUTES: Final = 10
_CHECKERS: Final = 15
"""Route 53's health checkers of one endpoint. AWS: at an interval of 30 seconds an endpoint gets a request about every
two seconds, at 10 seconds more than one a second (Route 53 Developer Guide, "Values that you specify when you create or
edit health checks", request interval)."""
PROBES_PER_MINUTE: Final = _CHECKERS * 60 // INTERVAL_SECONDS
"""Their requests, spread over the instances in service. The switch is asked as often, but answered by the balancer."""


@dataclass(frozen=True)
class Capacity:
    """Names of the alarms, as outputs: what `names` makes its room checks of."""

    at_maximum: Output
    """In alarm while the fleet has no instance left to add."""
    quiet: tuple[Output, ...]
    """One for each slice: in alarm after ten minutes below the slice's limit, or without any requests."""


def capacity(stack: Stack, balancer: Balancer, fleet_name: Value, *, topic: Value) -> Capacity:
    """The alarm on the fleet's size, and one for each slice of the region's users; the former is told to `topic`."""
    return Capacity(
        at_maximum=_at_maximum(stack, fleet_name, topic),
        quiet=tuple(_quiet(stack, number, percent, balancer) for number, percent in enumerate(SLICES, start=1)),
    )


def quiet_limit(spec: Spec, region: str, percent: int) -> int:
    """Requests of a region and minute below which a slice has room in its largest fleet, probes included."""
    users = spec.regions[region].at_capacity.requests_per_minute * spec.instances.max * percent / 100
    return ceil(users) + PROBES_PER_MINUTE


def _at_maximum(stack: Stack, fleet_name: Value, topic: Value) -> Output:
    definition = {
        "Namespace": "AWS/AutoScaling",
        "MetricName": "GroupInServiceInstances",
        "Statistic": "Minimum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "Threshold": stack.spec.instances.max,
        "TreatMissingData": "notBreaching",
    }
    alarm = _alarm(
        stack,
        "FleetAtMaximum",
        definition,
        name=f"{stack.spec.prefix}-fleet-at-maximum-{_hash(definition)}",
        description="The fleet has as many instances in service as it may have; users move once requests pass the "
        "limits too.",
        dimensions=[{"Name": "AutoScalingGroupName", "Value": fleet_name}],
        actions={"AlarmActions": [topic], "OKActions": [topic]},
    )
    return stack.output("FleetAtMaximumAlarm", alarm.ref, "Name of the alarm on the fleet's size.")


def _quiet(stack: Stack, number: int, percent: int, balancer: Balancer) -> Output:
    spec = stack.spec
    limits = {region: str(quiet_limit(spec, region, percent)) for region in stack.regions}
    threshold = stack.setting(
        f"QuietLimit{number}",
        limits,
        f"Requests a minute, probes included, below which slice {number} of the region's users is served here: what "
        "the largest fleet can take.",
        type_="Number",
        MinValue=1,
    )
    definition = {
        "Namespace": "AWS/ApplicationELB",
        "MetricName": "RequestCount",
        "Statistic": "Sum",
        "Period": 60,
        "EvaluationPeriods": QUIET_MINUTES,
        "ComparisonOperator": "LessThanThreshold",
        "Threshold": threshold,
        "TreatMissingData": "breaching",
    }
    alarm = _alarm(
        stack,
        f"Quiet{number}",
        definition,
        name=sub(
            f"{spec.prefix}-quiet-{number}-{_hash({**definition, 'Threshold': limits})}-${{TargetGroup}}",
            {"TargetGroup": balancer.target_group_number},
        ),
        description=f"Slice {number} of the region's users has room here: {QUIET_MINUTES} minutes below its limit. "
        "One busy minute ends it. In alarm is the usual state; without requests it is quiet too.",
        dimensions=balancer.target_dimensions,
    )
    return stack.output(f"Quiet{number}Alarm", alarm.ref, f"Name of the alarm that says slice {number} has room.")


def _alarm(
    stack: Stack,
    logical_id: str,
    definition: Mapping[str, Value],
    *,
    name: Value,
    description: str,
    dimensions: Value,
    actions: Mapping[str, Value] | None = None,
) -> Resource:
    return stack.add(
        logical_id,
        "AWS::CloudWatch::Alarm",
        {"AlarmName": name, "AlarmDescription": description, "Dimensions": dimensions, **definition, **(actions or {})},
    )


def _hash(definition: Mapping[str, Value]) -> str:
    """Eight letters that change with anything that a Route 53 check would have read."""
    return hashlib.sha256(json.dumps(definition, sort_keys=True).encode()).hexdigest()[:8]
