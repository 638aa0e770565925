"""CloudWatch metric math: what an expression over metrics gives, period by period.

One evaluator for whoever needs it: the reviewer asks when an alarm rings, the twin's CloudWatch computes it. The text
comes from templates of strangers and is parsed, never run. It knows no API and no clock: periods are counted, and what
is missing stays missing unless the expression fills it.

Not understood, and said so by FormulaError: SEARCH, anomaly detection, Metrics Insights, functions of the calendar.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Final


class FormulaError(ValueError):
    """An expression, or a value in it, that this evaluator does not take; the text says where."""


Series = Mapping[int, float]
"""Number of a period to its value; a period that is absent has no data."""
Value = float | Series | tuple[Series, ...] | str
"""A number, a time series, an array of them, or a word such as REPEAT. The number NaN is one that cannot be told."""

_TOKEN = re.compile(r"\s*(?:(\d+\.?\d*)|([A-Za-z_]\w*)|(\"[^\"]*\")|(>=|<=|==|!=|&&|\|\||[-+*/^<>(),\[\]]))")
_MAX_TOKENS = 500
_DEEPEST = 60
"""Levels of parentheses: more than anybody writes, fewer than Python's stack takes."""


@dataclass(frozen=True)
class Scope:
    """What an expression is computed over."""

    lookup: Callable[[str], Value]
    """The series of a metric or of another expression, by its id. Raises KeyError for one that is not there."""
    periods: Sequence[int]
    """The numbers of all periods that were asked for, in order: what FILL fills."""
    period_s: float = 60.0
    metrics: tuple[str, ...] = ()
    """The ids of all metrics, for METRICS()."""


_Node = Callable[[Scope], Value]


class Formula:
    """A parsed expression. Raises FormulaError, saying where, for one that is not understood."""

    def __init__(self, text: str) -> None:
        parser = _Parser(text)
        self._node = parser.parse()
        self.names = frozenset(parser.names)
        """Ids of metrics and other expressions that it refers to."""

    def over(self, scope: Scope) -> Series:
        """The time series that it gives. Raises FormulaError where it gives another value or takes a wrong operand."""
        result = self._node(scope)
        if isinstance(result, Mapping):
            return result
        raise FormulaError(f"it gives {_describe(result)}, and a time series is needed")

    def value(self, lookup: Callable[[str], float]) -> float | None:
        """The result for a single period, `lookup` giving the metrics' values; None: no data."""
        result = self._node(Scope(lambda name: {0: lookup(name)}, (0,)))
        if isinstance(result, tuple | str):
            raise FormulaError(f"it gives {_describe(result)}, which is not understood as a value")
        found = result.get(0) if isinstance(result, Mapping) else result
        return None if found is None or math.isnan(found) else found


class _Parser:
    """Recursive descent; each level of precedence is a method, the loosest first."""

    def __init__(self, text: str) -> None:
        self.names: set[str] = set()
        self._tokens: list[str] = []
        self._at = 0
        self._depth = 0
        position, text = 0, text.strip()
        while position < len(text):
            match = _TOKEN.match(text, position)
            if match is None or len(self._tokens) > _MAX_TOKENS:
                raise FormulaError(f"not understood: {text[position : position + 20]}")
            self._tokens.append(match[0].strip())
            position = match.end()

    def parse(self) -> _Node:
        result = self._either()
        if self._at != len(self._tokens):
            raise FormulaError(f"not understood: {self._next()}")
        return result

    def _either(self) -> _Node:
        return self._binary(self._both, "OR", "||")

    def _both(self) -> _Node:
        return self._binary(self._comparison, "AND", "&&")

    def _comparison(self) -> _Node:
        return self._binary(self._sum, ">", "<", ">=", "<=", "==", "!=")

    def _sum(self) -> _Node:
        return self._binary(self._product, "+", "-")

    def _product(self) -> _Node:
        return self._binary(self._power, "*", "/")

    def _power(self) -> _Node:
        return self._binary(self._atom, "^")

    def _binary(self, tighter: Callable[[], _Node], *operators: str) -> _Node:
        left = tighter()
        while token := self._take(*operators):
            left = _applied(_OPERATORS[token], left, tighter())
        return left

    def _atom(self) -> _Node:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise FormulaError(f"not understood: more than {_DEEPEST} levels")
        try:
            return self._one()
        finally:
            self._depth -= 1

    def _one(self) -> _Node:
        if self._take("-"):
            return _applied(operator.mul, _constant(-1.0), self._atom())
        if self._take("("):
            inner = self._either()
            self._expect(")")
            return inner
        if self._take("["):
            return _array(self._list("]"))
        token = self._next()
        self._at += 1
        if token[:1].isdigit():
            return _constant(float(token))
        if token[:1] == '"':
            return _constant(token[1:-1])
        return self._named(token)

    def _named(self, token: str) -> _Node:
        if not token[:1].isalpha() and token[:1] != "_":
            raise FormulaError(f"not understood: {token or 'the end'}")
        if self._take("("):
            return _call(token.upper(), self._list(")"))
        if token in ("REPEAT", "LINEAR"):
            return _constant(token)
        self.names.add(token)
        return lambda scope: scope.lookup(token)

    def _list(self, end: str) -> list[_Node]:
        if self._take(end):
            return []
        items = [self._either()]
        while self._take(","):
            items.append(self._either())
        self._expect(end)
        return items

    def _next(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _take(self, *wanted: str) -> str:
        token = self._next().upper()
        if token not in wanted:
            return ""
        self._at += 1
        return token

    def _expect(self, token: str) -> None:
        if not self._take(token):
            raise FormulaError(f"{token} is missing before {self._next() or 'the end'}")


def _constant(value: float | str) -> _Node:
    return lambda _: value


def _applied(operation: Callable[[float, float], float], left: _Node, right: _Node) -> _Node:
    return lambda scope: _pairwise(operation, left(scope), right(scope))


def _array(items: list[_Node]) -> _Node:
    def node(scope: Scope) -> Value:
        return tuple(series for item in items for series in _all_series(item(scope)))

    return node


def _pairwise(operation: Callable[[float, float], float], left: Value, right: Value) -> Value:
    """Where both have data; a result that is no number, as after a division by 0, is no data."""
    if isinstance(left, str) or isinstance(right, str):
        raise FormulaError(f"{left if isinstance(left, str) else right} is not understood as an operand")
    if isinstance(left, tuple) or isinstance(right, tuple):
        lefts = left if isinstance(left, tuple) else (left,) * len(right if isinstance(right, tuple) else ())
        rights = right if isinstance(right, tuple) else (right,) * len(lefts)
        if len(lefts) != len(rights):
            raise FormulaError("arrays of different lengths are not understood as operands")
        pairs = (_pairwise(operation, one, other) for one, other in zip(lefts, rights, strict=True))
        return tuple(series for pair in pairs for series in _all_series(pair))
    if not isinstance(left, Mapping) and not isinstance(right, Mapping):
        return _number(operation, left, right)
    times = left.keys() if isinstance(left, Mapping) else right.keys()  # type: ignore[union-attr]
    found = {time: _number(operation, _at(left, time), _at(right, time)) for time in times}
    return {time: value for time, value in found.items() if not math.isnan(value)}


def _number(operation: Callable[[float, float], float], left: float, right: float) -> float:
    if math.isnan(left) or math.isnan(right):
        return math.nan
    try:
        result = operation(left, right)
    except (ArithmeticError, ValueError):
        return math.nan
    return float(result) if not isinstance(result, complex) and math.isfinite(result) else math.nan


def _at(value: float | Series, time: int) -> float:
    return value.get(time, math.nan) if isinstance(value, Mapping) else value


_OPERATORS: Final[Mapping[str, Callable[[float, float], float]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "^": operator.pow,
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    **dict.fromkeys(("AND", "&&"), lambda left, right: float(bool(left) and bool(right))),
    **dict.fromkeys(("OR", "||"), lambda left, right: float(bool(left) or bool(right))),
}


def _call(name: str, arguments: list[_Node]) -> _Node:
    if name in _REDUCTIONS and arguments:
        return _reduction(_REDUCTIONS[name], arguments)
    function = _FUNCTIONS.get((name, len(arguments)))
    if function is None:
        raise FormulaError(f"{name} with {len(arguments)} arguments is not understood")
    return lambda scope: function(scope, *(argument(scope) for argument in arguments))


def _reduction(reduce: Callable[[Sequence[float]], float], arguments: list[_Node]) -> _Node:
    """A number from one series; from an array, or from several arguments, a series of what is there in each period."""

    def node(scope: Scope) -> Value:
        values = [argument(scope) for argument in arguments]
        if len(values) == 1 and not isinstance(values[0], tuple):
            (only,) = values
            points = [*only.values()] if isinstance(only, Mapping) else [_scalar(only)]
            return float(reduce(points)) if points else math.nan
        numbers = [value for value in values if isinstance(value, float | int)]
        series = [one for value in values if not isinstance(value, float | int) for one in _all_series(value)]
        if not series:
            return float(reduce(numbers)) if numbers else {}
        times = sorted({time for one in series for time in one})
        return {time: float(reduce([*(one[time] for one in series if time in one), *numbers])) for time in times}

    return node


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _deviation(values: Sequence[float]) -> float:
    """Of a whole population, as CloudWatch's STDDEV."""
    mean = _mean(values)
    return math.sqrt(_mean([(value - mean) ** 2 for value in values]))


_REDUCTIONS: Final[Mapping[str, Callable[[Sequence[float]], float]]] = {
    "AVG": _mean,
    "MAX": max,
    "MIN": min,
    "SUM": math.fsum,
    "STDDEV": _deviation,
}


def _if(_: Scope, test: Value, yes: Value, no: Value | None = None) -> Value:
    """Without a third argument there is no data where the test is false."""
    otherwise: Value = {} if no is None else no
    if not isinstance(test, Mapping):
        return yes if _scalar(test) else otherwise
    for branch in (yes, otherwise):
        if isinstance(branch, tuple | str):
            raise FormulaError(f"IF between {_describe(branch)} and others is not understood")
    found = {time: _at(yes if held else otherwise, time) for time, held in test.items()}  # type: ignore[arg-type]
    return {time: value for time, value in found.items() if not math.isnan(value)}


def _fill(scope: Scope, value: Value, filler: Value) -> Value:
    """All periods that were asked for, of a metric without any data too."""
    if isinstance(value, tuple):
        return tuple(series for one in value for series in _all_series(_fill(scope, one, filler)))
    if not isinstance(value, Mapping):
        return value
    if filler == "REPEAT":
        known = accumulate((value.get(time, math.nan) for time in scope.periods), _last_known)
        found = dict(zip(scope.periods, known, strict=True))
    elif filler == "LINEAR":
        found = {**value, **_between(value)}
    elif isinstance(filler, tuple | str):
        raise FormulaError(f"FILL with {_describe(filler)} is not understood")
    else:
        found = {time: value.get(time, _at(filler, time)) for time in scope.periods}
    return {time: point for time, point in found.items() if not math.isnan(point)}


def _last_known(before: float, now: float) -> float:
    return before if math.isnan(now) else now


def _between(value: Series) -> dict[int, float]:
    return {
        time: value[before] + (value[after] - value[before]) * (time - before) / (after - before)
        for before, after in pairwise(sorted(value))
        for time in range(before + 1, after)
    }


def _changes(scope: Scope, value: Value, *, rate: bool) -> Value:
    series = _series(value)
    return {
        after: (series[after] - series[before]) / ((after - before) * scope.period_s if rate else 1)
        for before, after in pairwise(sorted(series))
    }


def _running_sum(_: Scope, value: Value) -> Value:
    series = _series(value)
    times = sorted(series)
    return dict(zip(times, accumulate(series[time] for time in times), strict=True))


def _metrics(scope: Scope, part: Value = "") -> Value:
    if not isinstance(part, str):
        raise FormulaError("METRICS takes a text in quotes")
    return tuple(series for name in scope.metrics if part in name for series in _all_series(scope.lookup(name)))


def _end_of(value: Value, *, last: bool) -> Value:
    series = _series(value)
    return series[(max if last else min)(series)] if series else math.nan


def _each(function: Callable[[float], float]) -> Callable[..., Value]:
    return lambda _, value: _pairwise(lambda point, _: function(point), value, 0.0)


_FUNCTIONS: Final[Mapping[tuple[str, int], Callable[..., Value]]] = {
    ("ABS", 1): _each(abs),
    ("CEIL", 1): _each(math.ceil),
    ("DATAPOINT_COUNT", 1): lambda _, value: float(len(_series(value))),
    ("DIFF", 1): lambda scope, value: _changes(scope, value, rate=False),
    ("FILL", 2): _fill,
    ("FIRST", 1): lambda _, value: _end_of(value, last=False),
    ("FLOOR", 1): _each(math.floor),
    ("IF", 2): _if,
    ("IF", 3): _if,
    ("LAST", 1): lambda _, value: _end_of(value, last=True),
    ("LOG", 1): _each(math.log),
    ("LOG10", 1): _each(math.log10),
    ("METRICS", 0): _metrics,
    ("METRICS", 1): _metrics,
    ("METRIC_COUNT", 1): lambda _, value: float(len(_all_series(value))),
    ("PERIOD", 1): lambda scope, _: scope.period_s,
    ("RATE", 1): lambda scope, value: _changes(scope, value, rate=True),
    ("RUNNING_SUM", 1): _running_sum,
    ("TIME_SERIES", 1): lambda scope, value: dict.fromkeys(scope.periods, _scalar(value)),
}
"""By name and number of arguments."""


def _scalar(value: Value) -> float:
    if isinstance(value, Mapping | tuple | str):
        raise FormulaError(f"{_describe(value)} is not understood where a number is needed")
    return float(value)


def _series(value: Value) -> Series:
    if not isinstance(value, Mapping):
        raise FormulaError(f"{_describe(value)} is not understood where a time series is needed")
    return value


def _all_series(value: Value) -> tuple[Series, ...]:
    if isinstance(value, tuple):
        return value
    return (_series(value),)


def _describe(value: Value) -> str:
    if isinstance(value, Mapping):
        return "a time series"
    if isinstance(value, tuple):
        return "an array of time series"
    return f"the word {value}" if isinstance(value, str) else "a single number"
