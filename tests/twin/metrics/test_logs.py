"""Log groups: retention drops what is older, filters count what comes, a stream does not grow for ever."""

from __future__ import annotations

import itertools
import json
import time
from typing import Any

import pytest

from bicoastal.twin.ground import Ground
from tests.twin.metrics.conftest import HOME

Json = Any
_numbers = itertools.count()


class Group:
    """A log group with one stream."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.name = f"/group-{next(_numbers)}"
        self.client = ground.api.client("logs", HOME)
        self.client.create_log_group(logGroupName=self.name)
        self.client.create_log_stream(logGroupName=self.name, logStreamName="one")

    def put(self, *messages: str, age_days: float = 0.0) -> None:
        at = int((time.time() - age_days * 86_400) * 1000)
        self.client.put_log_events(
            logGroupName=self.name,
            logStreamName="one",
            logEvents=[{"timestamp": at, "message": message} for message in messages],
        )

    def filter(self, pattern: str, **transformation: Json) -> None:
        self.client.put_metric_filter(
            logGroupName=self.name,
            filterName="filter",
            filterPattern=pattern,
            metricTransformations=[
                {"metricNamespace": self.name[1:], "metricName": "Found", "metricValue": "1", **transformation}
            ],
        )

    def events(self) -> list[str]:
        return [event["message"] for event in self.client.filter_log_events(logGroupName=self.name)["events"]]

    def counted(self) -> list[float]:
        points = self.ground.api.report("cloudwatch.data", HOME, after=0)["points"]
        return [point[8][0][0] for point in points if point[1] == self.name[1:]]


@pytest.fixture
def group(twin: Ground) -> Group:
    return Group(twin)


def test_what_is_past_its_retention_is_gone_in_real_days(group: Group) -> None:
    group.put("old", age_days=8)
    group.put("young", age_days=2)
    assert group.events() == ["old", "young"], "kept for ever"
    group.client.put_retention_policy(logGroupName=group.name, retentionInDays=7)
    assert group.events() == ["young"]
    found = group.client.get_log_events(logGroupName=group.name, logStreamName="one", startFromHead=True)
    assert [event["message"] for event in found["events"]] == ["young"]


def test_a_stream_keeps_the_newest(group: Group) -> None:
    for first in range(0, 6000, 1000):
        group.put(*(str(number) for number in range(first, first + 1000)))
    kept = group.events()
    assert (len(kept), kept[0], kept[-1]) == (5000, "1000", "5999")


def test_insights_finds_events_all_the_same(group: Group) -> None:
    group.put("an ERROR", "fine")
    started = group.client.start_query(
        logGroupName=group.name, startTime=0, endTime=int(time.time()) + 60,
        queryString="fields @message | filter @message like /ERROR/",
    )  # fmt: skip
    rows = group.client.get_query_results(queryId=started["queryId"])["results"]
    assert [field["value"] for row in rows for field in row if field["field"] == "@message"] == ["an ERROR"]


def test_a_filter_counts_what_matches_and_says_nothing_of_the_rest(group: Group) -> None:
    group.filter("?ERROR ?FATAL")
    group.put("ERROR one", "fine", "FATAL two")
    group.put("fine")
    assert group.counted() == [1.0, 1.0]


def test_a_default_value_stands_for_events_of_which_none_matches(group: Group) -> None:
    group.filter("ERROR", defaultValue=0.0)
    group.put("fine", "fine")
    group.put("ERROR")
    assert group.counted() == [0.0, 1.0]


def test_a_filter_takes_its_value_from_the_event(group: Group) -> None:
    group.filter("{ $.status >= 500 }", metricValue="$.bytes")
    group.put(json.dumps({"status": 503, "bytes": 42}), json.dumps({"status": 200, "bytes": 7}))
    assert group.counted() == [42.0]
