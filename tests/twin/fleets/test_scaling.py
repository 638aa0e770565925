"""Policies act: by request, by alarm for as long as it is breached, held by warm-up and cooldown."""

from __future__ import annotations

import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.twin.fleets.place import REGION, Place, until

STEPS = [
    {"MetricIntervalLowerBound": 0.0, "MetricIntervalUpperBound": 0.5, "ScalingAdjustment": 25},
    {"MetricIntervalLowerBound": 0.5, "MetricIntervalUpperBound": 1.0, "ScalingAdjustment": 50},
    {"MetricIntervalLowerBound": 1.0, "ScalingAdjustment": 100},
]


def policy(place: Place, name: str, **settings: Any) -> str:
    return str(
        place.autoscaling.put_scaling_policy(AutoScalingGroupName=name, PolicyName=f"{name}-policy", **settings)[
            "PolicyARN"
        ]
    )


def step_out(place: Place, name: str, warmup_s: int) -> str:
    return policy(
        place, name, PolicyType="StepScaling", AdjustmentType="PercentChangeInCapacity", MinAdjustmentMagnitude=1,
        EstimatedInstanceWarmup=warmup_s, StepAdjustments=STEPS,
    )  # fmt: skip


def alarm(place: Place, arn: str, value: float, threshold: float = 1.0) -> Any:
    return place.ground.api.report(
        "autoscaling.alarm", REGION, policy=arn, alarm="busy", value=value, threshold=threshold
    )


def test_step_scaling_acts_while_the_alarm_lasts_and_warm_up_holds_it(place: Place) -> None:
    name = place.make(2)
    arn = step_out(place, name, warmup_s=100)  # 1 s at this pace
    time.sleep(1.05)  # the first two warm up: what is measured here
    assert alarm(place, arn, 1.2) == {"desired": 3}
    assert alarm(place, arn, 1.2) == {"desired": 3}
    # The same base of two, a higher step: doubled.
    assert alarm(place, arn, 2.5) == {"desired": 4}
    place.await_size(name, 4)
    assert alarm(place, arn, 2.5) == {"desired": 4}
    cause = place.activities(name)[0]["Cause"]
    assert "a monitor alarm busy in state ALARM triggered policy" in cause
    until("warm instances", lambda: alarm(place, arn, 1.2) == {"desired": 5})
    # 100 % of four, at most six.
    assert alarm(place, arn, 9.0) == {"desired": 6}


def test_scale_in_waits_for_warm_up_and_for_what_still_terminates(place: Place) -> None:
    name = place.make(3, TargetGroupARNs=[place.targets])
    arn = policy(
        place, name, PolicyType="StepScaling", AdjustmentType="ChangeInCapacity", EstimatedInstanceWarmup=50,
        StepAdjustments=[{"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": -1}],
    )  # fmt: skip
    assert alarm(place, arn, 1) == {"desired": 3}
    place.drain_within(100)
    until("warm instances", lambda: alarm(place, arn, 1) == {"desired": 2})
    until("one that drains", lambda: place.ids(name, "Terminating"))
    assert alarm(place, arn, 1) == {"desired": 2}
    place.await_size(name, 2)
    assert alarm(place, arn, 1) == {"desired": 1}
    place.drain_within(0)


def test_suspended_alarms_do_nothing(place: Place) -> None:
    name = place.make(1)
    arn = step_out(place, name, warmup_s=0)
    place.autoscaling.suspend_processes(AutoScalingGroupName=name, ScalingProcesses=["AlarmNotification"])
    assert alarm(place, arn, 3) == {"desired": 1}
    assert alarm(place, "arn:aws:autoscaling:nothing", 3) == {"desired": None}


def test_a_policy_is_executed_by_request(place: Place) -> None:
    name = place.make(1)
    step_out(place, name, warmup_s=0)
    execute = place.autoscaling.execute_policy
    with pytest.raises(ClientError, match="MetricValue and BreachThreshold are required"):
        execute(AutoScalingGroupName=name, PolicyName=f"{name}-policy")
    execute(AutoScalingGroupName=name, PolicyName=f"{name}-policy", MetricValue=2.0, BreachThreshold=1.0)
    place.await_size(name, 2)
    assert "a user request executed policy" in place.activities(name)[0]["Cause"]
    with pytest.raises(ClientError, match="No scaling policy"):
        execute(AutoScalingGroupName=name, PolicyName="none", MetricValue=2.0, BreachThreshold=1.0)


def test_simple_scaling_cools_down(place: Place) -> None:
    name = place.make(1)
    arn = policy(
        place, name, PolicyType="SimpleScaling", AdjustmentType="ChangeInCapacity", ScalingAdjustment=1, Cooldown=100
    )
    assert alarm(place, arn, 2) == {"desired": 2}
    assert alarm(place, arn, 2) == {"desired": 2}
    with pytest.raises(ClientError, match="ScalingActivityInProgress"):
        place.autoscaling.execute_policy(AutoScalingGroupName=name, PolicyName=f"{name}-policy", HonorCooldown=True)
    until("an end of the cooldown", lambda: alarm(place, arn, 2) == {"desired": 3})
