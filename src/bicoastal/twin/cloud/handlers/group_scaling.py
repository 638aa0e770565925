"""Scaling policies that act: on request (ExecutePolicy), and when an alarm that names one is breached.

`REPORTS["autoscaling.alarm"]` is called for every evaluated period in which an alarm is in ALARM: step scaling goes on
while it is breached, and warm-up is what holds it. Target tracking is kept as a record and not run.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from bicoastal.twin.cloud import emulator, planes
from bicoastal.twin.cloud.handlers import groups
from bicoastal.twin.cloud.handlers.groups import LOCK, Record, group, invalid, is_suspended, set_desired
from bicoastal.twin.cloud.registry import ServiceError
from bicoastal.twin.fleets import steps

Json = Any

_DEFAULT_COOLDOWN_S = 300.0


def execute(request: Mapping[str, Json]) -> Mapping[str, Json]:
    """ExecutePolicy. With HonorCooldown, a simple policy that cools down refuses."""
    policy = _policy(request["PolicyName"], request.get("AutoScalingGroupName"))
    record = group(policy["AutoScalingGroupName"])
    step = policy["PolicyType"] == "StepScaling"
    if step and ("MetricValue" not in request or "BreachThreshold" not in request):
        raise invalid("MetricValue and BreachThreshold are required to execute a StepScaling policy.")
    if not step and "MetricValue" in request:
        raise invalid("MetricValue and BreachThreshold are for StepScaling policies.")
    honors = str(request.get("HonorCooldown", "false")).lower() == "true"
    if honors and not step and _cools_down(record, policy):
        raise ServiceError(
            "ScalingActivityInProgress", f"Scaling activity is in progress for group {record['AutoScalingGroupName']}."
        )
    breach = float(request["MetricValue"]) - float(request["BreachThreshold"]) if step else 0.0
    _scale(record, policy, breach, f"a user request executed policy {policy['PolicyName']}")
    return {}


def alarm(data: Mapping[str, Json]) -> Json:
    """`policy` (ARN), `alarm` (name), `value` of its metric and `threshold` (a composite alarm has none).

    Answers the `desired` capacity. An unknown policy, and one whose group has AlarmNotification suspended, does
    nothing.
    """
    policy = next(
        (one for one in emulator.store("autoscaling", "_policies").values() if one["PolicyARN"] == data["policy"]), None
    )
    if policy is None or not policy.get("Enabled", True):
        return {"desired": None}
    record = group(policy["AutoScalingGroupName"])
    held = policy["PolicyType"] == "SimpleScaling" and _cools_down(record, policy)
    if not is_suspended(record, "AlarmNotification") and not held:
        because = f"a monitor alarm {data['alarm']} in state ALARM triggered policy {policy['PolicyName']}"
        _scale(record, policy, float(data["value"]) - float(data["threshold"] or 0), because)
    return {"desired": int(record["DesiredCapacity"])}


def _policy(name: str, group_name: str | None) -> Record:
    for policy in emulator.store("autoscaling", "_policies").values():
        if name in (policy["PolicyARN"], policy["PolicyName"]) and group_name in (None, policy["AutoScalingGroupName"]):
            found: Record = policy
            return found
    raise invalid(f"No scaling policy {name} found for group {group_name or ''}".rstrip())


def _scale(record: Record, policy: Record, breach: float, because: str) -> None:
    with LOCK:
        desired = _wanted(record, policy, breach)
        if desired is None:
            return
        bounded = min(max(desired, int(record["MinSize"])), int(record["MaxSize"]))
        if bounded != int(record["DesiredCapacity"]):
            record["_scaled_at"] = time.time()
            set_desired(record, bounded, because)


def _wanted(record: Record, policy: Record, breach: float) -> int | None:
    """The desired capacity that a policy asks for; None where it asks for nothing."""
    kind, desired = policy["PolicyType"], int(record["DesiredCapacity"])
    if kind == "SimpleScaling":
        magnitude = int(policy.get("MinAdjustmentMagnitude") or 0)
        return steps.adjusted(desired, policy["AdjustmentType"], int(policy["ScalingAdjustment"]), magnitude)
    if kind != "StepScaling":
        return None
    step = steps.step_for(policy.get("StepAdjustments") or (), breach)
    if step is None:
        return None
    serving = [member for member in record["Instances"] if member["LifecycleState"] == "InService"]
    warm = [member for member in serving if not _warms_up(record, policy, member)]
    adjustment = int(step["ScalingAdjustment"])
    wanted = steps.target(policy, adjustment, desired=desired, warm=len(warm), present=len(_present(record)))
    if wanted < desired and len(warm) < desired:
        # A scale-in does not begin while a scale-out is in progress.
        return None
    return wanted


def _present(record: Record) -> list[Record]:
    return [member for member in record["Instances"] if member["LifecycleState"] in (*groups.CAPACITY, "Terminating")]


def _warms_up(record: Record, policy: Record, member: Mapping[str, Json]) -> bool:
    """The policy's own warm-up, or the group's, or its cooldown."""
    candidates = (
        policy.get("EstimatedInstanceWarmup"), record.get("DefaultInstanceWarmup"), record.get("DefaultCooldown"),
        _DEFAULT_COOLDOWN_S,
    )  # fmt: skip
    warmup_s = next(float(one) for one in candidates if one is not None)
    return time.time() < float(member.get("_served", 0)) + planes.seconds(warmup_s)


def _cools_down(record: Record, policy: Record) -> bool:
    """From when what it started is done."""
    if any(member["LifecycleState"] in ("Pending", "Terminating") for member in record["Instances"]):
        return True
    last = max(
        [float(record.get("_scaled_at", 0)), *(float(member.get("_served", 0)) for member in record["Instances"])]
        if record.get("_scaled_at")
        else [0.0]
    )
    cooldown_s = float(policy.get("Cooldown") or record.get("DefaultCooldown") or _DEFAULT_COOLDOWN_S)
    return time.time() < last + planes.seconds(cooldown_s)


ACTIONS = {"ExecutePolicy": execute}
REPORTS = {"autoscaling.alarm": alarm}
