"""Data points in memory, added up by ticks of ten seconds by the twin's pace: what alarms are computed from.

A tick is the finest period that an alarm can have. A datum of standard resolution belongs to its minute as a whole, so
it stands at the minute's first tick. Nothing here knows an API; times are seconds since the epoch, ticks are counted
from it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

TICK_S = 10.0
"""Of a template's time."""
TICKS_A_MINUTE = 6
KEPT_TICKS = 3 * 60 * TICKS_A_MINUTE
"""Of a metric that no alarm looks at further back: three hours."""

Pairs = tuple[tuple[str, str], ...]
Metric = tuple[str, str, Pairs]
"""Namespace, name, and sorted dimensions: which must all be equal for it to be the same metric."""


class Tally:
    """What was seen in a span of time: a statistic set, and each value with how often, where that is known."""

    __slots__ = ("blurred", "count", "least", "most", "total", "values")

    def __init__(self) -> None:
        self.count = 0.0
        self.total = 0.0
        self.least = math.inf
        self.most = -math.inf
        self.values: dict[float, float] | None = None
        """None while there is one value at most: `least` is it."""
        self.blurred = False
        """A statistic set came in: percentiles cannot be told."""

    def see(self, value: float, count: float = 1.0) -> None:
        """A value, so often."""
        if count <= 0:
            return
        if self.count and not self.blurred and (self.values is not None or value != self.least):
            self.values = self.values or {self.least: self.count}
            self.values[value] = self.values.get(value, 0.0) + count
        self._extend(count, value * count, value, value)

    def see_set(self, count: float, total: float, least: float, most: float) -> None:
        """Many values, of which these four are known."""
        if least == most:
            self.see(least, count)
        elif count > 0:
            self.blurred, self.values = True, None
            self._extend(count, total, least, most)

    def join(self, other: Tally) -> None:
        """All that another one has seen."""
        if other.blurred:
            self.see_set(other.count, other.total, other.least, other.most)
        elif other.values is not None:
            for value, count in other.values.items():
                self.see(value, count)
        elif other.count:
            self.see(other.least, other.count)

    def statistic(self, name: str) -> float | None:
        """`Average`, `Sum`, `p99`...; None where it cannot be told, or is not known here."""
        match name:
            case "SampleCount":
                return self.count
            case "Sum":
                return self.total
            case "Average":
                return self.total / self.count
            case "Minimum":
                return self.least
            case "Maximum":
                return self.most
        return self._percentile(float(name[1:])) if is_percentile(name) else None

    def _extend(self, count: float, total: float, least: float, most: float) -> None:
        self.count += count
        self.total += total
        self.least = min(self.least, least)
        self.most = max(self.most, most)

    def _percentile(self, percent: float) -> float | None:
        """Between the two nearest ranks, as if each value stood there as often as it was seen."""
        if self.blurred or self.least < 0:
            return None
        ordered = sorted((self.values or {self.least: self.count}).items())
        rank = percent / 100 * max(self.count - 1, 0)
        below, above = _at(ordered, math.floor(rank)), _at(ordered, math.ceil(rank))
        return below + (above - below) * (rank - math.floor(rank))


def _at(ordered: Sequence[tuple[float, float]], index: int) -> float:
    seen = 0.0
    for value, count in ordered:
        seen += count
        if index < seen:
            return value
    return ordered[-1][0]


def is_percentile(name: str) -> bool:
    """Whether a statistic is `p` and a number."""
    return name[:1] in ("p", "P") and name[1:].replace(".", "", 1).isdigit()


@dataclass(frozen=True)
class Span:
    """So many windows of equal length, the last of which ends before a tick."""

    end: int
    width: int
    """Ticks of each."""
    count: int

    @property
    def start(self) -> int:
        """The first tick of the first window."""
        return self.end - self.width * self.count


class Data:
    """All data points of a region. Not safe for threads."""

    def __init__(self, tick_s: float) -> None:
        """`tick_s` is how long a tick lasts by the pace."""
        self._tick_s = tick_s
        self._ticks: dict[Metric, dict[str, dict[int, Tally]]] = {}
        self._kept: dict[Metric, int] = {}

    def clear(self) -> None:
        """Forget all of it: what is added next is the whole."""
        self._ticks.clear()

    def add(self, point: Sequence[Any]) -> None:
        """A point as the control plane tells it (`metric_data.Point`)."""
        _, namespace, name, pairs, unit, at, _, resolution, seen = point
        metric = (namespace, name, tuple((one, other) for one, other in pairs))
        ticks = self._ticks.setdefault(metric, {}).setdefault(unit, {})
        tick = self.tick(at)
        if resolution >= 60:
            tick -= tick % TICKS_A_MINUTE
        tally = ticks.get(tick)
        if tally is None:
            tally = ticks[tick] = Tally()
        if isinstance(seen[0], list | tuple):
            for value, count in seen:
                tally.see(value, count)
        else:
            tally.see_set(*seen)

    def tick(self, at: float) -> int:
        """The tick in which a moment is."""
        # A minute's first moment, divided, must not fall a hair's breadth before it.
        return math.floor(at / self._tick_s + 1e-6)

    def windows(self, metric: Metric, unit: str | None, span: Span) -> Mapping[int, Tally]:
        """Number of a window to what was seen in it; a window without data is absent."""
        self._kept[metric] = max(self._kept.get(metric, 0), span.width * span.count)
        by_unit = self._ticks.get(metric)
        if not by_unit:
            return {}
        found: dict[int, Tally] = {}
        for ticks in by_unit.values() if unit is None else filter(None, (by_unit.get(unit),)):
            for tick in _within(ticks, span):
                number = (tick - span.start) // span.width
                if number not in found:
                    found[number] = Tally()
                found[number].join(ticks[tick])
        return found

    def forget_before(self, now: int) -> None:
        """Let go what no alarm will ask for."""
        for metric in list(self._ticks):
            oldest = now - max(self._kept.get(metric, 0), KEPT_TICKS)
            by_unit = self._ticks[metric]
            for unit in list(by_unit):
                ticks = by_unit[unit]
                for tick in [tick for tick in ticks if tick < oldest]:
                    del ticks[tick]
                if not ticks:
                    del by_unit[unit]
            if not by_unit:
                del self._ticks[metric]


def _within(ticks: Mapping[int, Tally], span: Span) -> Iterable[int]:
    if span.end - span.start <= len(ticks):
        return (tick for tick in range(span.start, span.end) if tick in ticks)
    return (tick for tick in ticks if span.start <= tick < span.end)
