"""CloudWatch Logs: retention that drops what is older, metric filters that count, and a limit to what is kept.

Retention is in real days whatever the pace: events carry real timestamps. It is looked at whenever a group is written
or read, so that nobody ever sees an event that is past it.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bicoastal.twin.cloud import emulator, rights
from bicoastal.twin.cloud.answers import Answer
from bicoastal.twin.cloud.filter_patterns import PatternError, compiled, value_at
from bicoastal.twin.cloud.handlers import metric_data
from bicoastal.twin.cloud.rights import Check, Request

Json = Any
Handler = Callable[[Mapping[str, Json]], Answer]

KEPT_EVENTS = 5_000
"""Of a stream: they are in memory. AWS keeps all of them for the group's retention."""
_DAY_MS = 86_400_000
_READS = ("_get_log_events", "_filter_log_events", "_start_query")


def install() -> None:
    """Put it around ministack's own."""
    inner: Handler = emulator.of_service("cloudwatch_logs", "_put_log_events")

    def put(data: Mapping[str, Json]) -> Answer:
        answer = inner(data)
        if answer[0] == 200:
            _limit(data["logGroupName"], data["logStreamName"])
            _expire(data["logGroupName"])
            count(data["logGroupName"], data.get("logEvents") or ())
        return answer

    rights.rules(RIGHTS)
    emulator.replace_in_service("cloudwatch_logs", "_put_log_events", put)
    for name in _READS:
        emulator.replace_in_service(
            "cloudwatch_logs", name, _after_expiry(emulator.of_service("cloudwatch_logs", name))
        )


def _after_expiry(inner: Handler) -> Handler:
    def read(data: Mapping[str, Json]) -> Answer:
        for name in (data.get("logGroupName"), *(data.get("logGroupNames") or ())):
            if name:
                _expire(name)
        return inner(data)

    return read


def _limit(group: str, stream: str) -> None:
    record = emulator.store("cloudwatch_logs", "_log_groups")[group]["streams"][stream]
    if len(record["events"]) > KEPT_EVENTS:
        record["events"] = record["events"][-KEPT_EVENTS:]
    # ministack keeps a second copy of each event for Insights, and makes it again from the first when one is asked.
    copies = emulator.store("cloudwatch_logs", "_log_records")
    for pointer in list(copies.keys()):
        del copies[pointer]


def _expire(group: str) -> None:
    record = emulator.store("cloudwatch_logs", "_log_groups").get(group)
    if record is None or not record.get("retentionInDays"):
        return
    oldest = int(time.time() * 1000) - record["retentionInDays"] * _DAY_MS
    for stream in record["streams"].values():
        events = stream["events"]
        if events and events[0]["timestamp"] < oldest:
            stream["events"] = events[bisect_left(events, oldest, key=lambda event: event["timestamp"]) :]
            stream["firstEventTimestamp"] = stream["events"][0]["timestamp"] if stream["events"] else None


def count(group: str, events: Sequence[Mapping[str, Json]]) -> None:
    """What the group's metric filters make of events that came."""
    for (of, _), record in emulator.store("cloudwatch_logs", "_metric_filters").items():
        if of == group:
            _count_one(record, events)


def _count_one(record: Mapping[str, Json], events: Sequence[Mapping[str, Json]]) -> None:
    try:
        matches = compiled(record.get("filterPattern") or "")
    except PatternError:
        return
    found = [event for event in events if matches(event.get("message", ""))]
    for transformation in record.get("metricTransformations") or ():
        namespace, name = transformation["metricNamespace"], transformation["metricName"]
        unit = transformation.get("unit") or "None"
        for event in found:
            value = _value(str(transformation.get("metricValue", "1")), event["message"])
            if value is not None:
                metric_data.publish(namespace, name, value, at=event["timestamp"] / 1000, unit=unit)
        default = transformation.get("defaultValue")
        if events and not found and default is not None:
            metric_data.publish(namespace, name, float(default), at=events[-1]["timestamp"] / 1000, unit=unit)


def _value(wanted: str, message: str) -> float | None:
    if wanted.startswith("$"):
        return value_at(message, wanted)
    try:
        return float(wanted)
    except ValueError:
        return None


def _stream(request: Request) -> Sequence[Check]:
    """IAM is asked about the stream, of which a policy on `log-group:NAME:*` holds."""
    group, stream = (str(request.data.get(name, "")) for name in ("logGroupName", "logStreamName"))
    return [Check(request.arn("logs", f"log-group:{group}:log-stream:{stream}"))]


RIGHTS = {
    f"logs:{action}": _stream
    for action in ("CreateLogStream", "DeleteLogStream", "DescribeLogStreams", "GetLogEvents", "PutLogEvents")
}
