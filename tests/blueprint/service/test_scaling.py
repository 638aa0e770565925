"""When a fleet grows and shrinks: the alarms' own expressions, calculated as CloudWatch calculates them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings

from bicoastal.blueprint.service.capacity import PROBES_PER_MINUTE
from bicoastal.cfn.deployment import Resource, Stack
from bicoastal.spec.model import Spec
from tests.support.deployed import service, written_files
from tests.support.specs import spec, valid_specs


@dataclass(frozen=True)
class Minute:
    """One minute of a region's metrics; None is no data."""

    requests: float | None = 0.0
    """Of users, per instance."""
    cpu: float | None = 5.0
    memory: float | None = 40.0
    instances: float | None = 2.0
    probes: bool = True


def verdict(alarm: Resource, minute: Minute) -> float | None:
    """The alarm's expression for a minute, by CloudWatch's metric math: IF, FILL, AND, OR, comparisons, arithmetic."""
    queries = {item["Id"]: item for item in alarm.items("Metrics")}
    (expression,) = [item["Expression"] for item in queries.values() if "Expression" in item]
    probes = PROBES_PER_MINUTE / (minute.instances or 2) if minute.probes else 0
    values = {
        "requests": None if minute.requests is None else minute.requests + probes,
        "cpu": minute.cpu,
        "memory": minute.memory,
        "instances": minute.instances,
    }
    assert set(values) == set(queries) - {"verdict"}
    python = re.sub(r"\bIF\(", "if_(", expression.replace(" AND ", " and ").replace(" OR ", " or "))
    names = {
        **values,
        "FILL": lambda value, filling: filling if value is None else value,
        "if_": lambda held, yes, no: yes if held else no,
    }
    result: float | None = eval(python, {"__builtins__": {}}, names)
    return result


def grows(stack: Stack, minute: Minute) -> bool:
    alarm = stack.resources["ScaleOut"]
    value = verdict(alarm, minute)
    return value is not None and value >= alarm.get("Threshold")


def shrinks(stack: Stack, minute: Minute) -> bool:
    alarm = stack.resources["ScaleIn"]
    value = verdict(alarm, minute)
    return value is not None and value >= alarm.get("Threshold")


@pytest.mark.parametrize(
    ("minute", "expected"),
    [
        (Minute(requests=601, cpu=61), True),
        (Minute(requests=601, memory=76), True),
        (Minute(requests=601, cpu=60, memory=75), False),
        (Minute(requests=600, cpu=99, memory=99), False),
        (Minute(requests=5000, cpu=10, memory=10), False),
        (Minute(requests=601, cpu=61, memory=None), True),
        (Minute(requests=601, cpu=None, memory=76), True),
        (Minute(requests=601, cpu=None, memory=None), False),
        (Minute(requests=None, cpu=99, memory=99), False),
        (Minute(requests=601, cpu=61, instances=None), True),
    ],
)
def test_it_grows_on_traffic_and_a_resource_and_not_on_one_of_them(minute: Minute, expected: bool) -> None:
    assert grows(service(spec()), minute) is expected


@pytest.mark.parametrize(
    ("minute", "expected"),
    [
        (Minute(requests=299, cpu=29, memory=75), True),
        (Minute(requests=300, cpu=29), False),
        (Minute(requests=299, cpu=30), False),
        (Minute(requests=10, cpu=5, memory=76), False),
        (Minute(requests=None, cpu=5), True),
        (Minute(requests=10, cpu=None), False),
        (Minute(requests=10, memory=None), False),
    ],
)
def test_it_shrinks_when_traffic_and_cpu_are_low_and_memory_allows_it(minute: Minute, expected: bool) -> None:
    assert shrinks(service(spec()), minute) is expected


def test_probes_alone_neither_grow_a_small_fleet_nor_keep_it_large() -> None:
    tight = {
        "us-east-1": {"role": "home", "cidr": "10.1.0.0/16", "scaling": {"requests_per_minute": 40, "cpu_percent": 2}},
        "us-west-2": {"role": "standby", "cidr": "10.2.0.0/16"},
    }
    stack = service(spec(regions=tight))
    idle = Minute(requests=0, cpu=99, instances=2)
    assert PROBES_PER_MINUTE / 2 > 40, "or this shows nothing"
    assert not grows(stack, idle)
    assert shrinks(stack, Minute(requests=0, cpu=0, instances=2))


def test_the_thresholds_are_each_regions_own() -> None:
    both = {
        "us-east-1": {"role": "home", "cidr": "10.1.0.0/16", "scaling": {"requests_per_minute": 1000}},
        "us-west-2": {
            "role": "standby",
            "cidr": "10.2.0.0/16",
            "scaling": {"requests_per_minute": 100, "cpu_percent": 20, "memory_percent": 30},
        },
    }
    minute = Minute(requests=101, cpu=21)
    assert not grows(service(spec(regions=both), "us-east-1"), minute)
    assert grows(service(spec(regions=both), "us-west-2"), minute)


@settings(max_examples=10)
@given(valid_specs())
def test_no_minute_makes_a_fleet_grow_and_shrink_and_thresholds_are_above_zero(any_spec: Spec) -> None:
    for region in any_spec.regions:
        sources = service(any_spec, region).sources
        value = {name: int(getattr(sources[name], "value")) for name in sources if name.startswith("Scale")}  # noqa: B009
        assert all(number >= 1 for number in value.values()), value
        assert value["ScaleInRequests"] * 2 <= value["ScaleOutRequests"]
        assert value["ScaleInCpu"] * 2 <= value["ScaleOutCpu"]


def test_growing_takes_minutes_and_shrinking_a_quarter_of_an_hour() -> None:
    stack = service(spec())
    out, back = stack.resources["ScaleOut"], stack.resources["ScaleIn"]
    assert out.get("EvaluationPeriods") <= 3
    assert back.get("EvaluationPeriods") == back.get("DatapointsToAlarm") == 15
    assert {item["MetricStat"]["Period"] for alarm in (out, back) for item in alarm.items("Metrics")[:-1]} == {60}
    assert out.get("TreatMissingData") == back.get("TreatMissingData") == "notBreaching"


def test_each_alarm_runs_its_own_policy_and_growing_is_told() -> None:
    stack = service(spec())
    out = [str(item) for item in stack.resources["ScaleOut"].items("AlarmActions")]
    assert out == ["${service/us-east-1/ScaleOutPolicy}", "${foundation/us-east-1/AlertTopic}"]
    assert [str(item) for item in stack.resources["ScaleIn"].items("AlarmActions")] == [
        "${service/us-east-1/ScaleInPolicy}"
    ]
    assert stack.resources["ScaleOutPolicy"].get("EstimatedInstanceWarmup") > 0


def added(stack: Stack, minute: Minute, instances: int) -> int:
    """How many instances one alarm of growing adds, as step scaling takes its steps."""
    alarm, policy = stack.resources["ScaleOut"], stack.resources["ScaleOutPolicy"]
    above = (verdict(alarm, minute) or 0) - alarm.get("Threshold")
    assert policy.get("AdjustmentType") == "PercentChangeInCapacity"
    (percent,) = [
        step["ScalingAdjustment"]
        for step in policy.items("StepAdjustments")
        if step["MetricIntervalLowerBound"] <= above < step.get("MetricIntervalUpperBound", float("inf"))
    ]
    return max(int(instances * percent / 100), int(policy.get("MinAdjustmentMagnitude")))


@pytest.mark.parametrize(
    ("requests", "instances", "more"),
    [(601, 2, 1), (601, 4, 1), (899, 8, 2), (900, 2, 1), (900, 4, 2), (1200, 2, 2), (5000, 3, 3)],
)
def test_a_higher_peak_adds_more_at_once(requests: int, instances: int, more: int) -> None:
    assert added(service(spec()), Minute(requests=requests, cpu=80, instances=instances), instances) == more


def test_shrinking_takes_one_instance_at_a_time() -> None:
    policy = service(spec()).resources["ScaleInPolicy"]
    assert policy.get("AdjustmentType") == "ChangeInCapacity"
    assert policy.items("StepAdjustments") == [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": -1}]


def test_memory_is_read_under_the_name_and_dimension_that_the_agent_publishes() -> None:
    """An alarm on any other dimension would never have data."""
    stack = service(spec())
    agent = json.loads(written_files(stack.resources["LaunchTemplate"])["/opt/bicoastal/etc/cloudwatch-agent.json"])
    published = agent["metrics"]
    queries: list[Any] = stack.resources["ScaleOut"].items("Metrics")
    (memory,) = [item["MetricStat"]["Metric"] for item in queries if item["Id"] == "memory"]
    assert memory["Namespace"] == published["namespace"]
    assert memory["MetricName"] in published["metrics_collected"]["mem"]["measurement"]
    assert [item["Name"] for item in memory["Dimensions"]] in published["aggregation_dimensions"]
    assert str(memory["Dimensions"][0]["Value"]) == "${service/us-east-1/Fleet}"
    assert published["append_dimensions"] == {"AutoScalingGroupName": "${aws:AutoScalingGroupName}"}
