"""What is published is kept, answered and told: values, sets, dimensions, refusals, math, the feed."""

from __future__ import annotations

import itertools
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from bicoastal.twin.ground import Ground, ground
from tests.twin.conftest import Grounds
from tests.twin.metrics.conftest import HOME, STANDBY

Json = Any
_numbers = itertools.count()


@dataclass
class Shop:
    """A customer with a namespace of its own."""

    ground: Ground
    namespace: str = field(default_factory=lambda: f"Shop{next(_numbers)}")

    @property
    def client(self) -> Json:
        return self.ground.api.client("cloudwatch", HOME)

    def put(self, *data: Json, region: str = HOME) -> None:
        self.ground.api.client("cloudwatch", region).put_metric_data(Namespace=self.namespace, MetricData=list(data))

    def number(self) -> int:
        return int(self.ground.api.report("cloudwatch.data", HOME, after=0)["number"])

    def told(self, after: int = 0) -> Json:
        """Of what this shop has published."""
        found = self.ground.api.report("cloudwatch.data", HOME, after=after)
        return {**found, "points": [point for point in found["points"] if point[1] == self.namespace]}

    def answer(self, *queries: Json, **others: Json) -> dict[str, Sequence[float]]:
        now = datetime.now(UTC)
        found = self.client.get_metric_data(
            MetricDataQueries=list(queries),
            StartTime=now - timedelta(minutes=10),
            EndTime=now + timedelta(minutes=1),
            **others,
        )
        return {result["Id"]: result["Values"] for result in found["MetricDataResults"]}

    def query(self, id_: str, name: str, **others: Json) -> Json:
        metric = {"Namespace": self.namespace, "MetricName": name, "Dimensions": []}
        return {"Id": id_, "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}, **others}


@pytest.fixture
def shop(twin: Ground) -> Shop:
    return Shop(twin)


def datum(name: str = "Sales", dimensions: dict[str, str] | None = None, **others: Json) -> Json:
    pairs = [{"Name": one, "Value": other} for one, other in (dimensions or {}).items()]
    return {"MetricName": name, "Dimensions": pairs, **others}


def test_every_kind_of_datum_is_told_once_and_in_its_region(shop: Shop) -> None:
    at = datetime.now(UTC).replace(microsecond=0)
    shop.put(datum(dimensions={"b": "2", "a": "1"}, Value=3.0, Unit="Count", Timestamp=at))
    shop.put(datum(Values=[1.0, 2.0], Counts=[5.0, 6.0], StorageResolution=1))
    shop.put(datum(StatisticValues={"SampleCount": 4.0, "Sum": 10.0, "Minimum": 1.0, "Maximum": 5.0}))
    first = shop.told()
    assert first["whole"]
    shop.put(datum("Later", Value=1.0))
    shop.put(datum("Elsewhere", Value=1.0), region=STANDBY)
    then = shop.told(first["number"])
    assert [(point[2], point[8]) for point in then["points"]] == [("Later", [[1.0, 1.0]])]
    assert then["number"] == first["number"] + 1
    assert shop.told(then["number"])["points"] == []
    shapes = {json.dumps(point[3]): (point[4], point[8]) for point in first["points"] if point[3]}
    assert shapes == {'[["a", "1"], ["b", "2"]]': ("Count", [[3.0, 1.0]])}
    assert [point[5] for point in first["points"] if point[3]] == [at.timestamp()]
    seen = [point[8] for point in first["points"] if not point[3]]
    assert sorted(map(str, seen)) == ["[4.0, 10.0, 1.0, 5.0]", "[[1.0, 5.0]]", "[[2.0, 6.0]]"]


def test_who_is_too_far_behind_is_given_all_that_is_kept(shop: Shop) -> None:
    shop.put(datum(Value=1.0))
    number = shop.number()
    assert shop.told(number + 1000)["whole"], "a number of another life"
    for _ in range(21):
        shop.put(*(datum(Value=float(value)) for value in range(1000)))
    again = shop.told(number)
    assert again["whole"]
    assert 150 < len(again["points"]) <= 180, "three hours of minutes of a metric are kept"


def test_publishing_wakes_no_controller(shop: Shop) -> None:
    api = shop.ground.api
    before = api.changes(0)
    shop.put(datum(Value=1.0))
    shop.told()
    assert api.changes(before) == before


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (datum(), "InvalidParameterCombination"),
        (datum(Value=1.0, Values=[1.0]), "InvalidParameterCombination"),
        (datum(Value=float("nan")), "InvalidParameterValue"),
        (datum(Values=[1.0, 2.0], Counts=[1.0]), "InvalidParameterValue"),
        (datum(Value=1.0, Timestamp=datetime.now(UTC) - timedelta(days=15)), "InvalidParameterValue"),
        (datum(Value=1.0, Timestamp=datetime.now(UTC) + timedelta(hours=3)), "InvalidParameterValue"),
    ],
)
def test_a_call_with_one_wrong_datum_is_refused_as_a_whole(shop: Shop, wrong: Json, code: str) -> None:
    with pytest.raises(ClientError) as refused:
        shop.put(datum(Value=1.0), wrong)
    assert refused.value.response["Error"]["Code"].startswith(code)
    assert shop.told()["points"] == []


def test_metric_math_is_answered(shop: Shop) -> None:
    at = datetime.fromtimestamp(time.time() // 60 * 60 - 60, UTC)
    shop.put(datum("Sales", Value=30.0, Timestamp=at), datum("Visits", Value=60.0, Timestamp=at))
    shop.put(datum("Sales", {"Shop": "a"}, Value=1000.0, Timestamp=at))
    expression = {"Id": "e", "Expression": "100 * sales / visits"}
    found = shop.answer(expression, shop.query("sales", "Sales", ReturnData=False), shop.query("visits", "Visits"))
    assert found == {"e": [50.0], "visits": [60.0]}, "dimensions are matched exactly, and hidden queries stay so"
    shop.put(datum("Sales", Value=7.0, Timestamp=at - timedelta(minutes=2)))
    assert shop.answer(shop.query("s", "Sales"))["s"] == [30.0, 7.0], "the newest first"
    assert shop.answer(shop.query("s", "Sales"), ScanBy="TimestampAscending")["s"] == [7.0, 30.0]
    filled = shop.answer({"Id": "f", "Expression": "FILL(s, 0)"}, shop.query("s", "Sales", ReturnData=False))["f"]
    assert len(filled) >= 10
    assert sorted(set(filled)) == [0.0, 7.0, 30.0]


def test_an_expression_that_is_wrong_is_refused(shop: Shop) -> None:
    for text in ("nothing + 1", "SEARCH('x', 'Sum', 60)", "1 +"):
        with pytest.raises(ClientError, match="Error in expression"):
            shop.answer({"Id": "e", "Expression": text})


def test_ministacks_own_answers_have_the_points(shop: Shop) -> None:
    shop.put(datum("Sales", {"Shop": "a"}, Value=4.0), datum("Sales", {"Shop": "a"}, Value=6.0))
    (listed,) = shop.client.list_metrics(Namespace=shop.namespace)["Metrics"]
    assert (listed["MetricName"], listed["Dimensions"]) == ("Sales", [{"Name": "Shop", "Value": "a"}])
    now = datetime.now(UTC)
    (point,) = shop.client.get_metric_statistics(
        Namespace=shop.namespace, MetricName="Sales", Dimensions=[{"Name": "Shop", "Value": "a"}], Period=7200,
        StartTime=now - timedelta(hours=3), EndTime=now + timedelta(hours=1), Statistics=["Sum", "Maximum"],
    )["Datapoints"]  # fmt: skip
    assert (point["Sum"], point["Maximum"]) == (10.0, 6.0)


def test_an_alarm_on_metric_math_can_be_put_by_the_api(shop: Shop) -> None:
    queries = [{"Id": "e", "Expression": "s * 2", "ReturnData": True}, shop.query("s", "Sales", ReturnData=False)]
    settings = {"EvaluationPeriods": 1, "Threshold": 1.0, "ComparisonOperator": "GreaterThanThreshold"}
    shop.client.put_metric_alarm(AlarmName="math", Metrics=queries, **settings)
    (alarm,) = shop.client.describe_alarms(AlarmNames=["math"])["MetricAlarms"]
    assert [one["Id"] for one in alarm["Metrics"]] == ["e", "s"]
    assert alarm["StateValue"] == "INSUFFICIENT_DATA"
    with pytest.raises(ClientError, match="Exactly one element"):
        shop.client.put_metric_alarm(AlarmName="wrong", Metrics=[queries[1]], **settings)
    assert shop.client.describe_alarms(AlarmNames=["wrong"])["MetricAlarms"] == []


def test_points_outlive_the_control_plane(grounds: Grounds) -> None:
    folder = Path(tempfile.mkdtemp(prefix="bicoastal-twin-"))
    folder.chmod(0o755)
    with ground(folder, ("metrics",), (HOME,)) as first:
        Shop(first, "Kept").put(datum(dimensions={"a": "1"}, Value=3.0), datum(Values=[1.0, 2.0], Counts=[5.0, 6.0]))
        Shop(first, "Kept").put(datum(StatisticValues={"SampleCount": 4, "Sum": 10, "Minimum": 1, "Maximum": 5}))
        before = Shop(first, "Kept").told()["points"]
    again = Shop(grounds("metrics", folder=folder), "Kept")
    after = again.told()
    assert after["whole"]
    shape = [(point[2], point[3], point[8]) for point in after["points"]]
    assert sorted(map(str, shape)) == sorted(str((point[2], point[3], point[8])) for point in before)
