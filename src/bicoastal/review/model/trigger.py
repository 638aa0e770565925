"""When an alarm on several metrics rings: found by computing it, whichever way its metric math is written."""

from __future__ import annotations

import math
from functools import cached_property, lru_cache
from typing import Final

from bicoastal.core.metric_math import Formula
from bicoastal.review.model.signals import Alarm, compare

HIGH: Final = 1e9
_STEPS = 40
"""Halvings from `HIGH` down to a thousandth."""


class Trigger:
    """An alarm as a function of traffic (requests per target and minute), CPU and memory (percent)."""

    def __init__(self, alarm: Alarm, instances: int) -> None:
        """`instances`: how many are in service, where the metric math asks."""
        self._alarm = alarm
        self._instances = float(instances)
        self._limits: dict[str, float | None] = {}

    @cached_property
    def unclear(self) -> str:
        """Why it cannot be computed, or empty."""
        try:
            self.rings()
        except (ValueError, KeyError, ZeroDivisionError, RecursionError) as error:
            return str(error)
        return "" if self._alarm.metrics else "it looks at no metric"

    def rings(self, *, traffic: float = 0.0, cpu: float = 0.0, memory: float = 0.0) -> bool:
        """Whether it rings for these values. Raises ValueError or KeyError where its metric math is not understood."""
        values = {"traffic": traffic, "cpu": cpu, "memory": memory, "instances": self._instances}
        known: dict[str, float] = {}
        for metric in self._alarm.metrics:
            kind = kind_of(metric.name)
            if kind not in values:
                raise ValueError(f"it looks at {metric.name}")
            known[metric.id] = values[kind]

        def value(name: str) -> float:
            if name not in known:
                known[name] = _number(_formula(self._alarm.expressions[name]).value(value))
            return known[name]

        result = (
            _number(_formula(self._alarm.result).value(value)) if self._alarm.result else next(iter(known.values()))
        )
        if self._alarm.threshold is None:
            raise ValueError("it has no threshold")
        return compare(result, self._alarm.operator, self._alarm.threshold)

    def table(self) -> tuple[bool, ...]:
        """Whether it rings by traffic, cpu, memory high or zero: 000, 001, ... 111."""
        return tuple(
            self.rings(
                traffic=HIGH if state & 4 else 0.0, cpu=HIGH if state & 2 else 0.0, memory=HIGH if state & 1 else 0.0
            )
            for state in range(8)
        )

    def limit(self, kind: str) -> float | None:
        """The value of one kind at which it changes, the others being as they must; None if it never does."""
        if kind not in self._limits:
            self._limits[kind] = None if self.unclear else self._limit(kind)
        return self._limits[kind]

    def _limit(self, kind: str) -> float | None:
        for others in (0.0, HIGH):
            state = dict.fromkeys(("traffic", "cpu", "memory"), others)
            if kind != "traffic" and others:
                # One of two resources decides alone only while the other is low.
                state = {"traffic": HIGH, "cpu": 0.0, "memory": 0.0}
            low, high = 0.0, HIGH
            before = self.rings(**{**state, kind: low})
            if before == self.rings(**{**state, kind: high}):
                continue
            for _ in range(_STEPS):
                middle = (low + high) / 2
                if self.rings(**{**state, kind: middle}) == before:
                    low = middle
                else:
                    high = middle
            return high
        return None


def _number(value: float | None) -> float:
    """No data is NaN: it passes no threshold, of either side."""
    return math.nan if value is None else value


@lru_cache(maxsize=256)
def _formula(text: str) -> Formula:
    return Formula(text)


def kind_of(name: str) -> str:
    """What a metric stands for."""
    if name in ("RequestCountPerTarget", "RequestCount"):
        return "traffic"
    if name == "CPUUtilization":
        return "cpu"
    if name == "GroupInServiceInstances":
        return "instances"
    return "memory" if "mem" in name.lower() else name
