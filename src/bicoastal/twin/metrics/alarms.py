"""What an alarm's metric, or its metric math, says at a moment: a pure function of its record and of data.

Windows slide: a period of five minutes is the last five, whichever minute it is. Not known here, and left in the state
that they have: anomaly detection, Metrics Insights, and statistics other than the plain ones and percentiles.
"""

from __future__ import annotations

import operator
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from bicoastal.core.metric_math import Formula, FormulaError, Scope, Series
from bicoastal.twin.metrics.series import TICK_S, Data, Pairs, Span, is_percentile
from bicoastal.twin.metrics.states import BEYOND, Outcome, State, outcome

Record = Mapping[str, Any]
"""An alarm as DescribeAlarms gives it."""

_PLAIN = ("SampleCount", "Sum", "Average", "Minimum", "Maximum")
_BREACHES: Mapping[str, tuple[Callable[[float, float], bool], str]] = {
    "GreaterThanThreshold": (operator.gt, "greater than"),
    "GreaterThanOrEqualToThreshold": (operator.ge, "greater than or equal to"),
    "LessThanThreshold": (operator.lt, "less than"),
    "LessThanOrEqualToThreshold": (operator.le, "less than or equal to"),
}


class NotUnderstoodError(ValueError):
    """An alarm that cannot be evaluated here; the text says what of it."""


@dataclass(frozen=True)
class Verdict:
    """What an alarm's state should be."""

    state: State | None
    """None: as it is."""
    reason: str
    data: Mapping[str, Any]
    """StateReasonData."""
    value: float | None
    """The newest data point that was evaluated; None where there is none."""


def evaluate(alarm: Record, data: Data, end: int, tick_s: float) -> Verdict:
    """As of the tick `end`, which is not over; `tick_s` is how long one lasts. Raises NotUnderstoodError."""
    compared = _BREACHES.get(str(alarm.get("ComparisonOperator")))
    if compared is None:
        raise NotUnderstoodError(f"{alarm.get('ComparisonOperator')} is not evaluated")
    periods, threshold = int(alarm["EvaluationPeriods"]), float(alarm["Threshold"])
    needed = int(alarm.get("DatapointsToAlarm") or periods)
    width = max(_period(alarm) // int(TICK_S), 1)
    span = Span(end, width, periods + BEYOND)
    series = _math(alarm, data, span) if alarm.get("Metrics") else _single(alarm, data, span)
    points = [compared[0](series[index], threshold) if index in series else None for index in range(periods + BEYOND)]
    found = outcome(points, periods, needed, str(alarm.get("TreatMissingData") or "missing"))
    evaluated = [(span.start + index * width, series[index]) for index in found.decisive]
    starts = [(tick * tick_s, value) for tick, value in evaluated]
    return Verdict(
        found.state,
        _reason(found, starts, threshold=threshold, words=compared[1], periods=periods, needed=needed),
        _reason_data(alarm, starts, end * tick_s, threshold, width),
        evaluated[-1][1] if evaluated else None,
    )


def _period(alarm: Record) -> int:
    """Seconds of a template's time; in metric math the longest of those used."""
    queries = alarm.get("Metrics") or ()
    known = [int((query.get("MetricStat") or query).get("Period") or 0) for query in queries]
    return max([*known, int(alarm.get("Period") or 0)]) or 60


def _single(alarm: Record, data: Data, span: Span) -> Series:
    statistic = str(alarm.get("ExtendedStatistic") or alarm.get("Statistic") or "Average")
    return _series(alarm, statistic, alarm.get("Unit"), data, span)


def _series(metric: Mapping[str, Any], statistic: str, unit: str | None, data: Data, span: Span) -> Series:
    if statistic not in _PLAIN and not is_percentile(statistic):
        raise NotUnderstoodError(f"the statistic {statistic} is not evaluated")
    key = (str(metric["Namespace"]), str(metric["MetricName"]), _pairs(metric.get("Dimensions") or ()))
    found = {number: tally.statistic(statistic) for number, tally in data.windows(key, unit, span).items()}
    return {number: value for number, value in found.items() if value is not None}


def _pairs(dimensions: Sequence[Mapping[str, str]]) -> Pairs:
    return tuple(sorted((one["Name"], one["Value"]) for one in dimensions))


def _math(alarm: Record, data: Data, span: Span) -> Series:
    queries = {str(query["Id"]): query for query in alarm["Metrics"]}
    known: dict[str, Series] = {}

    def lookup(name: str) -> Series:
        if name not in queries:
            raise NotUnderstoodError(f"{name} is not defined")
        if name not in known:
            query = queries[name]
            if query.get("Expression"):
                known[name] = {}  # a circle of expressions finds no data, and ends
                known[name] = _formula(query["Expression"]).over(scope)
            else:
                wanted = query["MetricStat"]
                known[name] = _series(wanted["Metric"], wanted["Stat"], wanted.get("Unit"), data, span)
        return known[name]

    metrics = tuple(name for name, query in queries.items() if query.get("MetricStat"))
    scope = Scope(lookup, range(span.count), span.width * TICK_S, metrics)
    returned = next((name for name, query in queries.items() if query.get("ReturnData", True)), "")
    try:
        return lookup(returned)
    except FormulaError as error:
        raise NotUnderstoodError(str(error)) from error


@lru_cache(maxsize=512)
def _formula(text: str) -> Formula:
    return Formula(text)


def _reason(
    found: Outcome, points: Sequence[tuple[float, float]], *, threshold: float, words: str, periods: int, needed: int
) -> str:
    """As CloudWatch says it."""
    if found.state == "INSUFFICIENT_DATA":
        return f"Insufficient Data: {found.filled} datapoint{'s were' if found.filled != 1 else ' was'} unknown."
    if not points:
        taken = "Breaching" if found.state == "ALARM" else "NonBreaching"
        return (
            f"Threshold Crossed: no datapoints were received for {periods} period{'s' if periods != 1 else ''} "
            f"and {found.filled} missing datapoint{'s were' if found.filled != 1 else ' was'} treated as [{taken}]."
        )
    values = ", ".join(f"{value} ({time.strftime('%d/%m/%y %H:%M:%S', time.gmtime(at))})" for at, value in points)
    one = len(points) == 1
    verb = f"{'was' if one else 'were'}{'' if found.state == 'ALARM' else ' not'}"
    change = "OK -> ALARM" if found.state == "ALARM" else "ALARM -> OK"
    least = needed if found.state == "ALARM" else periods - needed + 1
    filled = f" and {found.filled} missing datapoints were filled in" if found.filled else ""
    return (
        f"Threshold Crossed: {len(points)} out of the last {periods} datapoints [{values}] {verb} {words} "
        f"the threshold ({threshold}){filled} (minimum {least} datapoint{'s' if least != 1 else ''} "
        f"for {change} transition)."
    )


def _reason_data(
    alarm: Record, points: Sequence[tuple[float, float]], now: float, threshold: float, width: int
) -> Mapping[str, Any]:
    said: dict[str, Any] = {"version": "1.0", "queryDate": _iso(now), "period": width * int(TICK_S)}
    if points:
        said["startDate"] = _iso(points[0][0])
    if alarm.get("MetricName"):
        said["statistic"] = alarm.get("ExtendedStatistic") or alarm.get("Statistic") or "Average"
    said["recentDatapoints"] = [value for _, value in points]
    said["threshold"] = threshold
    said["evaluatedDatapoints"] = [{"timestamp": _iso(at), "value": value} for at, value in reversed(points)]
    return said


def _iso(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000+0000", time.gmtime(at))
