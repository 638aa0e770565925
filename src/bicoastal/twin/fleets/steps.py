"""What a scaling policy makes of a capacity and a breach, as the EC2 Auto Scaling User Guide words it.

Pure arithmetic: it knows neither the API nor a clock.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

Step = Mapping[str, Any]
"""MetricIntervalLowerBound, MetricIntervalUpperBound (either may lack: no bound) and ScalingAdjustment."""


def adjusted(capacity: int, kind: str, adjustment: int, magnitude: int = 0) -> int:
    """The capacity after an adjustment of a kind: ChangeInCapacity, ExactCapacity or PercentChangeInCapacity.

    Percentages are rounded towards zero, but what is not zero changes at least one instance, and at least `magnitude`
    (MinAdjustmentMagnitude). Raises ValueError for another kind.
    """
    if kind == "ExactCapacity":
        return adjustment
    if kind == "ChangeInCapacity":
        return capacity + adjustment
    if kind != "PercentChangeInCapacity":
        raise ValueError(f"{kind!r} is no adjustment type")
    change = math.trunc(capacity * adjustment / 100)
    if adjustment:
        least = max(1, magnitude)
        change = max(change, least) if adjustment > 0 else min(change, -least)
    return capacity + change


def step_for(steps: Iterable[Step], breach: float) -> Step | None:
    """The step whose interval holds the breach: the metric's value less the alarm's threshold.

    Above the threshold a lower bound is inside and an upper one outside; below it, the other way round.
    """
    for step in steps:
        lower = float(step.get("MetricIntervalLowerBound", -math.inf))
        upper = float(step.get("MetricIntervalUpperBound", math.inf))
        if (lower < breach <= upper) if breach < 0 else (lower <= breach < upper):
            return step
    return None


def target(policy: Mapping[str, Any], adjustment: int, *, desired: int, warm: int, present: int) -> int:
    """The desired capacity that a step asks for, before the group's bounds.

    Out: instances that warm up are not part of the capacity that grows, but the desired capacity is never lowered, so
    that a breach in the same step adds nothing while they warm up. In: those that terminate are still part of it, so
    that no more are removed than necessary. `warm` and `present` count those that have warmed up, and all with those
    that terminate.
    """
    kind, magnitude = str(policy["AdjustmentType"]), int(policy.get("MinAdjustmentMagnitude") or 0)
    grows = adjustment > desired if kind == "ExactCapacity" else adjustment > 0
    if grows:
        return max(desired, adjusted(warm, kind, adjustment, magnitude))
    return min(desired, adjusted(max(present, desired), kind, adjustment, magnitude))
