"""CloudWatch's data: every point that anybody publishes is kept, and told to the metrics controller, once.

ministack goes on answering for them (ListMetrics, GetMetricStatistics). What it lacks is here: limits of what is kept,
metric math in GetMetricData, and the feed. Points stand at real timestamps whatever the pace: a period of 60 s in a
template is 3 s of them at 20 times the speed, and whoever asks for data asks for seconds as they passed.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bicoastal.core.metric_math import Formula, FormulaError, Scope
from bicoastal.twin.cloud import answers, emulator, planes
from bicoastal.twin.cloud.answers import Answer, Items, ServiceError

Json = Any
Point = list[Json]
"""Number, namespace, name, dimensions (sorted pairs), unit, timestamp, arrival, storage resolution, and what was seen:
pairs of value and count, or one list of four, a statistic set: count, sum, minimum, maximum."""

KEPT_POINTS = 180
"""Of a metric: three hours of minutes. AWS keeps them for 15 days; here they are in memory, and saved at every end."""
COARSE_S = 10
"""Where more come, the older half is kept as AWS keeps high-resolution points later: one for each such span."""
KEPT_FEED = 20_000
"""Points of a region that the controller may be behind; one that is behind further is given all that is kept."""
NAMESPACE = "http://monitoring.amazonaws.com/doc/2010-08-01/"
_MOST_DATA = 1000
_MOST_DIMENSIONS = 30
_OLDEST_S, _NEWEST_S = 14 * 86_400, 2 * 3600
_SET = ("SampleCount", "Sum", "Minimum", "Maximum")


class _Feed:
    """What came in one region, in order."""

    def __init__(self) -> None:
        self.number = 0
        self.points: deque[Point] = deque(maxlen=KEPT_FEED)

    def add(self, point: Point) -> None:
        """Number it, and keep it for who asks."""
        self.number += 1
        point[0] = self.number
        self.points.append(point)


_feeds: dict[str, _Feed] = {}
_dimensions: dict[tuple[str, str, str], dict[str, str]] = {}
"""One mapping for all points of a metric: it is the largest part of one."""


def install() -> None:
    """Put it before ministack's own."""
    inner = emulator.of_service("cloudwatch", "_put_metric_data")

    def put(parameters: Mapping[str, Json], data: Json, is_cbor: bool, is_json: bool = False) -> Answer:
        try:
            asked = data if is_cbor or is_json else answers.unflatten(parameters)
            _put(str(asked.get("Namespace") or ""), asked.get("MetricData") or [])
        except ServiceError as error:
            return _refusal(error, is_cbor=is_cbor, is_json=is_json)
        nothing: Answer = inner({}, {"Namespace": "", "MetricData": []}, is_cbor, is_json)
        return nothing

    def get(parameters: Mapping[str, Json], data: Json, is_cbor: bool, is_json: bool = False) -> Answer:
        try:
            results = _results(data if is_cbor or is_json else answers.unflatten(parameters))
        except ServiceError as error:
            return _refusal(error, is_cbor=is_cbor, is_json=is_json)
        return _answer(results, is_cbor=is_cbor, is_json=is_json)

    emulator.replace_in_service("cloudwatch", "_put_metric_data", put)
    emulator.replace_in_service("cloudwatch", "_get_metric_data", get)
    # It would go through all points at every call; what is kept is limited as it comes.
    emulator.replace_in_service("cloudwatch", "_evict_old_metrics", lambda: None)


def _refusal(error: ServiceError, *, is_cbor: bool, is_json: bool) -> Answer:
    refused: Answer = emulator.of_service("cloudwatch", "_error")(
        error.code, error.message, error.status, use_json=is_json, use_cbor=is_cbor
    )
    return refused


def _put(namespace: str, data: Sequence[Mapping[str, Json]]) -> None:
    """All or nothing. Raises ServiceError as CloudWatch does."""
    if not namespace or namespace.startswith(":"):
        raise ServiceError("MissingParameter", "The parameter Namespace is required.")
    if len(data) > _MOST_DATA:
        raise ServiceError(
            "ValidationError", f"The collection MetricData must not have a size greater than {_MOST_DATA}."
        )
    now = time.time()
    points = [_point(namespace, datum, now) for datum in data]
    for point in points:
        keep(point)


def publish(namespace: str, name: str, value: float, *, at: float, unit: str = "None") -> None:
    """A point of one of AWS's own services, in the region that the request is in."""
    keep([0, namespace, name, [], unit, at, time.time(), 60, [[value, 1.0]]])


def keep(point: Point) -> None:
    """Where ministack has its points, and in the feed."""
    _, namespace, name, dimensions, unit, at, _, _, seen = point
    key = (namespace, name, "|".join(f"{one}={other}" for one, other in dimensions))
    shared = _dimensions.setdefault(key, dict(dimensions))
    table = emulator.store("cloudwatch", "_metrics")
    bucket = table.get(key)
    if bucket is None:
        bucket = table[key] = []
    base = {"Timestamp": at, "Unit": unit, "Dimensions": shared}
    if isinstance(seen[0], list):
        bucket.extend({**base, "Value": value, "Count": count} for value, count in seen)
    else:
        mean = seen[1] / seen[0] if seen[0] else 0.0
        bucket.append({**base, "Value": mean, "_stat": dict(zip(_SET, seen, strict=True))})
    if len(bucket) > KEPT_POINTS:
        bucket[: KEPT_POINTS // 2] = _coarse(bucket[: KEPT_POINTS // 2])
        del bucket[: len(bucket) - KEPT_POINTS]
    if planes.attached("metrics"):
        _feeds.setdefault(emulator.region(), _Feed()).add(point)


def _coarse(points: Sequence[dict[str, Json]]) -> list[dict[str, Json]]:
    """Points that stand beside one another within a span and bear the same unit as one statistic set."""
    made: list[dict[str, Json]] = []
    for point in points:
        last = made[-1] if made else None
        same = (
            last is not None
            and last["Unit"] == point["Unit"]
            and last["Timestamp"] // COARSE_S == point["Timestamp"] // COARSE_S
        )
        if last is None or not same:
            made.append(point)
            continue
        one, other = _statistics(last), _statistics(point)
        count, total = one["SampleCount"] + other["SampleCount"], one["Sum"] + other["Sum"]
        least, most = min(one["Minimum"], other["Minimum"]), max(one["Maximum"], other["Maximum"])
        made[-1] = {
            **{name: last[name] for name in ("Timestamp", "Unit", "Dimensions")},
            "Value": total / count if count else 0.0,
            "_stat": dict(zip(_SET, (count, total, least, most), strict=True)),
        }
    return made


def _statistics(point: Mapping[str, Json]) -> Mapping[str, float]:
    if "_stat" in point:
        known: Mapping[str, float] = point["_stat"]
        return known
    value, count = point["Value"], point.get("Count", 1.0)
    return dict(zip(_SET, (count, value * count, value, value), strict=True))


def _point(namespace: str, datum: Mapping[str, Json], now: float) -> Point:
    name = datum.get("MetricName")
    if not name:
        raise ServiceError("MissingParameter", "The parameter MetricData.member.1.MetricName is required.")
    pairs = sorted((str(one["Name"]), str(one["Value"])) for one in datum.get("Dimensions") or ())
    if len(pairs) > _MOST_DIMENSIONS:
        raise ServiceError("InvalidParameterValue", f"{name}: more than {_MOST_DIMENSIONS} dimensions.")
    at = emulator.of_service("cloudwatch", "_parse_ts")(datum.get("Timestamp")) or now
    if not now - _OLDEST_S < at < now + _NEWEST_S:
        raise ServiceError(
            "InvalidParameterValue",
            f"{name}: the timestamp must be within two weeks before now and two hours after it.",
        )
    resolution = int(datum.get("StorageResolution") or 60)
    return [0, namespace, str(name), pairs, str(datum.get("Unit") or "None"), at, now, resolution, _seen(name, datum)]


def _seen(name: str, datum: Mapping[str, Json]) -> list[Json]:
    values, statistics = datum.get("Values"), datum.get("StatisticValues")
    given = [kind for kind in ("Value", "Values", "StatisticValues") if datum.get(kind) not in (None, [])]
    if len(given) != 1:
        raise ServiceError(
            "InvalidParameterCombination",
            f"{name}: exactly one of Value, Values and StatisticValues must be given, not {given or 'none'}.",
        )
    found: list[Json]
    if statistics:
        found = [float(statistics.get(part) or 0) for part in _SET]
        numbers = found
    else:
        counts = datum.get("Counts") or [1.0] * len(values or [0])
        numbers = [float(value) for value in values or [datum["Value"]]]
        if len(counts) != len(numbers):
            raise ServiceError("InvalidParameterValue", f"{name}: Values and Counts must be of the same length.")
        found = [[value, float(count)] for value, count in zip(numbers, counts, strict=True)]
    if not all(math.isfinite(number) for number in numbers):
        raise ServiceError("InvalidParameterValue", f"{name}: the value must be a finite number.")
    return found


def since(after: int) -> dict[str, Json]:
    """Points of the region after a number; all that are kept, and `whole`, for who has none or is too far behind."""
    feed = _feeds.setdefault(emulator.region(), _Feed())
    first = feed.points[0][0] if feed.points else feed.number + 1
    if after <= 0 or after < first - 1 or after > feed.number:
        return {"number": feed.number, "whole": True, "points": list(_kept())}
    return {"number": feed.number, "whole": False, "points": [point for point in feed.points if point[0] > after]}


def _kept() -> Iterable[Point]:
    for (namespace, name, _), bucket in emulator.store("cloudwatch", "_metrics").items():
        for point in bucket:
            pairs = sorted(point.get("Dimensions", {}).items())
            statistics = point.get("_stat")
            seen: list[Json] = [[point["Value"], point.get("Count", 1.0)]]
            if statistics is not None:
                seen = [float(statistics.get(part, 0)) for part in _SET]
            at = point["Timestamp"]
            yield [0, namespace, name, pairs, point.get("Unit", "None"), at, at, 60, seen]


def _results(asked: Mapping[str, Json]) -> list[dict[str, Json]]:
    parse = emulator.of_service("cloudwatch", "_parse_ts")
    start, end = parse(asked.get("StartTime")), parse(asked.get("EndTime"))
    if start is None or end is None or start >= end:
        raise ServiceError("ValidationError", "The parameter StartTime must be less than the parameter EndTime.")
    queries = {str(query["Id"]): query for query in asked.get("MetricDataQueries") or ()}
    period = max((_period(query) for query in queries.values()), default=60)
    series = {
        id_: _series(query["MetricStat"], start, end) for id_, query in queries.items() if query.get("MetricStat")
    }
    newest_first = asked.get("ScanBy", "TimestampDescending") != "TimestampAscending"
    found = []
    for id_, query in queries.items():
        if str(query.get("ReturnData", True)).lower() == "false":
            continue
        points = series.get(id_)
        if points is None:
            points = _calculated(str(query.get("Expression", "")), queries, series, range(int(start), int(end), period))
        times = sorted(points, reverse=newest_first)
        found.append(
            {
                "Id": id_,
                "Label": query.get("Label") or _label(query),
                "Timestamps": times,
                "Values": [points[at] for at in times],
                "StatusCode": "Complete",
            }
        )
    return found


def _label(query: Mapping[str, Json]) -> str:
    return str((query.get("MetricStat") or {}).get("Metric", {}).get("MetricName") or query["Id"])


def _period(query: Mapping[str, Json]) -> int:
    return int((query.get("MetricStat") or {}).get("Period") or query.get("Period") or 1)


def _series(wanted: Mapping[str, Json], start: float, end: float) -> dict[int, float]:
    metric = wanted["Metric"]
    pairs = sorted((one["Name"], one["Value"]) for one in metric.get("Dimensions") or ())
    key = (metric["Namespace"], metric["MetricName"], "|".join(f"{one}={other}" for one, other in pairs))
    period, statistic = int(wanted.get("Period", 60)), wanted.get("Stat", "Average")
    buckets: dict[int, list[Json]] = {}
    for point in emulator.store("cloudwatch", "_metrics").get(key) or ():
        if start <= point["Timestamp"] < end and wanted.get("Unit") in (None, point["Unit"]):
            buckets.setdefault(int(point["Timestamp"] // period) * period, []).append(point)
    calculate, value_of = (emulator.of_service("cloudwatch", name) for name in ("_calc_stats", "_stat_value"))
    values = {at: value_of(calculate(points), statistic, points) for at, points in buckets.items()}
    return {at: float(value) for at, value in values.items() if value is not None}


def _calculated(
    expression: str, queries: Mapping[str, Json], series: Mapping[str, dict[int, float]], span: range
) -> dict[int, float]:
    periods = [at // span.step * span.step for at in span]

    def lookup(name: str) -> Mapping[int, float]:
        if name in series:
            return series[name]
        if not queries.get(name, {}).get("Expression"):
            raise ServiceError("ValidationError", f"Error in expression '{expression}': {name} is not defined.")
        return Formula(queries[name]["Expression"]).over(scope)

    scope = Scope(lookup, periods, float(span.step), tuple(series))
    try:
        return dict(Formula(expression).over(scope))
    except (FormulaError, RecursionError) as error:
        raise ServiceError("ValidationError", f"Error in expression '{expression}': {error}") from error


def _answer(results: list[dict[str, Json]], *, is_cbor: bool, is_json: bool) -> Answer:
    made: Answer
    if is_cbor:
        tagged = emulator.of_service("cloudwatch", "_cbor_metric_data_result")
        made = emulator.of_service("cloudwatch", "_cbor_ok")({"MetricDataResults": [tagged(one) for one in results]})
    elif is_json:
        made = emulator.of_service("cloudwatch", "_json_ok")({"MetricDataResults": results})
    else:
        iso = emulator.of_service("cloudwatch", "_ts_iso")
        rows = [
            {
                **one,
                "Timestamps": Items("member", [iso(at) for at in one["Timestamps"]]),
                "Values": Items("member", one["Values"]),
            }
            for one in results
        ]
        made = answers.query_answer("GetMetricData", NAMESPACE, {"MetricDataResults": Items("member", rows)})
    return made
