"""What alarms say of data: those of the real templates, evaluated as they are written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from bicoastal.blueprint.service.capacity import PROBES_PER_MINUTE
from bicoastal.twin.metrics.alarms import NotUnderstoodError, Verdict, evaluate
from bicoastal.twin.metrics.series import TICKS_A_MINUTE, Data
from tests.support.deployed import deployed, plain, service
from tests.support.specs import spec

TICK_S = 10.0
MINUTE_S = 60.0
Json = Any


class Minutes:
    """A region's data, minute by minute."""

    def __init__(self) -> None:
        self.data = Data(TICK_S)
        self.number = 1000

    def pass_with(self, *told: tuple[Mapping[str, Json], float | None]) -> None:
        """One minute; each metric of an alarm (or alarm of one metric) with its value, None for no data."""
        for metric, value in told:
            if value is not None:
                pairs = sorted([one["Name"], one["Value"]] for one in metric.get("Dimensions") or ())
                at = self.number * MINUTE_S
                self.data.add([0, metric["Namespace"], metric["MetricName"], pairs, "None", at, at, 60, [[value, 1.0]]])
        self.number += 1

    def verdict(self, alarm: Mapping[str, Json]) -> Verdict:
        return evaluate(alarm, self.data, self.number * TICKS_A_MINUTE, TICK_S)


def alarm(name: str, stack: str = "service") -> Mapping[str, Json]:
    if stack == "service":
        found = service(spec()).resources[name]
    else:
        found = deployed(spec()).stacks[f"{stack}/us-east-1"].resources[name]
    record: Mapping[str, Json] = plain(found.properties)
    return record


def metrics(record: Mapping[str, Json]) -> dict[str, Mapping[str, Json]]:
    return {query["Id"]: query["MetricStat"]["Metric"] for query in record["Metrics"] if "MetricStat" in query}


def simple(**changes: Json) -> Mapping[str, Json]:
    return {
        "AlarmName": "simple",
        "Namespace": "Shop",
        "MetricName": "Errors",
        "Dimensions": [],
        "Statistic": "Sum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 5.0,
        "ComparisonOperator": "GreaterThanThreshold",
        **changes,
    }


LOAD = {"requests": 900.0, "instances": 2.0, "cpu": 90.0, "memory": 40.0}


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, "ALARM"),
        ({"cpu": 5.0}, "OK"),
        ({"cpu": 5.0, "memory": 95.0}, "ALARM"),
        ({"requests": 50.0}, "OK"),
        ({"requests": 50.0, "memory": 99.0}, "OK"),
        ({"requests": None}, "OK"),
        ({"cpu": None, "memory": None}, "OK"),
        ({"memory": None}, "ALARM"),
        ({"instances": None}, "ALARM"),
    ],
)
def test_the_fleet_grows_on_traffic_and_a_resource_together(changed: dict[str, float | None], expected: str) -> None:
    record = alarm("ScaleOut")
    load = {**LOAD, "requests": 900.0 + PROBES_PER_MINUTE, **changed}
    minutes = Minutes()
    told = [(metric, load[name]) for name, metric in metrics(record).items()]
    minutes.pass_with(*told)
    assert minutes.verdict(record).state != "ALARM", "one minute is not enough"
    minutes.pass_with(*told)
    found = minutes.verdict(record)
    assert found.state == expected
    if expected == "ALARM":
        assert found.value is not None
        assert found.value >= 1, "how far it is above decides the step"


def test_the_fleet_shrinks_after_fifteen_quiet_minutes_and_memory_is_a_veto() -> None:
    record = alarm("ScaleIn")
    quiet = {"requests": 10.0 + PROBES_PER_MINUTE / 2, "instances": 2.0, "cpu": 3.0, "memory": 40.0}
    minutes = Minutes()
    for _ in range(14):
        minutes.pass_with(*((metric, quiet[name]) for name, metric in metrics(record).items()))
        assert minutes.verdict(record).state == "OK"
    minutes.pass_with(*((metric, quiet[name]) for name, metric in metrics(record).items()))
    assert minutes.verdict(record).state == "ALARM"
    full = {**quiet, "memory": 99.0}
    minutes.pass_with(*((metric, full[name]) for name, metric in metrics(record).items()))
    assert minutes.verdict(record).state == "OK"


def test_nobody_shrinks_a_fleet_that_nobody_sees() -> None:
    record, minutes = alarm("ScaleIn"), Minutes()
    for _ in range(20):
        minutes.pass_with()
    assert minutes.verdict(record).state == "OK"


def test_one_busy_minute_ends_the_quiet_and_ten_bring_it_back() -> None:
    record, minutes = alarm("Quiet1"), Minutes()
    assert minutes.verdict(record).state == "ALARM", "without requests it is quiet"
    minutes.pass_with((record, float(record["Threshold"]) + 1.0))
    assert minutes.verdict(record).state == "OK"
    for number in range(10):
        assert minutes.verdict(record).state == "OK", number
        minutes.pass_with((record, 1.0))
    assert minutes.verdict(record).state == "ALARM"


def test_a_memory_alarm_on_dimensions_that_nobody_publishes_never_has_data() -> None:
    """The first wiring fault: it looks at the instance, and the agent publishes for the fleet."""
    right = {**alarm("MemoryHigh"), "TreatMissingData": "missing"}
    wrong = {**right, "Dimensions": [{"Name": "InstanceId", "Value": "i-1"}]}
    minutes = Minutes()
    for _ in range(12):
        minutes.pass_with((right, 99.0))
    assert minutes.verdict(right).state == "ALARM"
    assert minutes.verdict(wrong).state == "INSUFFICIENT_DATA"


def test_math_of_math_and_what_fill_makes_of_a_metric_without_data() -> None:
    record = alarm("Unprotected", "monitoring")
    found = metrics(record)
    minutes = Minutes()
    for _ in range(17):
        minutes.pass_with((found["primary"], 1.0))
    assert minutes.verdict(record).state == "ALARM", "a primary that knows no slot"
    minutes.pass_with((found["primary"], 1.0), (found["known"], 0.0))
    assert minutes.verdict(record).state == "OK"


def test_percentiles() -> None:
    record = alarm("SlowResponses")
    minutes = Minutes()
    for _ in range(5):
        for value in (0.1, 0.2, 9.0):
            minutes.pass_with((record, value))
            minutes.number -= 1
        minutes.pass_with()
    assert minutes.verdict(record).state == "ALARM"


@pytest.mark.parametrize(
    ("comparison", "breaches"),
    [
        ("GreaterThanThreshold", [6.0]),
        ("GreaterThanOrEqualToThreshold", [5.0, 6.0]),
        ("LessThanThreshold", [4.0]),
        ("LessThanOrEqualToThreshold", [4.0, 5.0]),
    ],
)
def test_comparisons(comparison: str, breaches: Iterable[float]) -> None:
    for value in (4.0, 5.0, 6.0):
        minutes = Minutes()
        minutes.pass_with((simple(), value))
        state = minutes.verdict(simple(ComparisonOperator=comparison)).state
        assert (state == "ALARM") == (value in breaches)


def test_the_reason_is_told_as_cloudwatch_tells_it() -> None:
    minutes = Minutes()
    minutes.pass_with((simple(), 7.0))
    found = minutes.verdict(simple())
    assert found.reason == (
        "Threshold Crossed: 1 out of the last 1 datapoints [7.0 (01/01/70 16:40:00)] was greater than the threshold "
        "(5.0) (minimum 1 datapoint for OK -> ALARM transition)."
    )
    assert found.data["recentDatapoints"] == [7.0]
    assert found.data["startDate"] == "1970-01-01T16:40:00.000+0000"
    assert Minutes().verdict(simple()).reason == "Insufficient Data: 1 datapoint was unknown."
    assert "treated as [Breaching]" in Minutes().verdict(simple(TreatMissingData="breaching")).reason


@pytest.mark.parametrize(
    "changes",
    [
        {"ComparisonOperator": "GreaterThanUpperThreshold"},
        {"Statistic": None, "ExtendedStatistic": "tm99"},
        {"Metrics": [{"Id": "e", "Expression": "SEARCH('x', 'Sum', 60)", "ReturnData": True}]},
        {"Metrics": [{"Id": "e", "Expression": "other + 1", "ReturnData": True}]},
    ],
)
def test_what_is_not_understood_is_said_and_decides_nothing(changes: dict[str, Json]) -> None:
    with pytest.raises(NotUnderstoodError):
        Minutes().verdict(simple(**changes))


def test_expressions_in_a_circle_find_no_data() -> None:
    record = simple(Metrics=[{"Id": "a", "Expression": "b + 1"}, {"Id": "b", "Expression": "a", "ReturnData": False}])
    assert Minutes().verdict(record).state == "INSUFFICIENT_DATA"
