"""CloudWatch Logs' filter patterns: terms, alternatives, exclusions, and selectors of JSON events.

`ERROR -retry "out of memory"`, `?ERROR ?FATAL`, `{ ($.a.b = "x*") && ($.n >= 400) }`. Not understood, and said so:
patterns of space-delimited fields (`[ip, user, ...]`) and regular expressions (`%...%`).
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any

Json = Any
Matches = Callable[[str], bool]
_Test = Callable[[Json], bool]


class PatternError(ValueError):
    """A pattern that is not understood here."""


_TERM = re.compile(r'([?-]?)("(?:[^"\\]|\\.)*"|\S+)')
_TOKEN = re.compile(
    r"\s*(\(|\)|&&|\|\||!=|>=|<=|=|>|<|NOT\s+EXISTS|IS\s+NULL|IS\s+TRUE|IS\s+FALSE|EXISTS"
    r'|\$[\w.\[\]*@:$-]*|"(?:[^"\\]|\\.)*"|[^\s()&|=<>!]+)'
)
_MISSING = object()
_ORDER: Mapping[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}


@lru_cache(maxsize=256)
def compiled(pattern: str) -> Matches:
    """What says whether a message matches. Raises PatternError."""
    text = pattern.strip()
    if text.startswith("{"):
        return _json_matcher(text)
    if text.startswith(("[", "%")):
        raise PatternError(f"not understood: {text[:40]}")
    return _terms(text)


def value_at(message: str, selector: str) -> float | None:
    """The number that a metric takes from a JSON event (`$.size`); None where there is none."""
    try:
        found = _found(json.loads(message), selector)
        return None if found is _MISSING or isinstance(found, bool) else float(found)
    except (TypeError, ValueError):
        return None


def _terms(text: str) -> Matches:
    required: list[str] = []
    optional: list[str] = []
    excluded: list[str] = []
    for sign, term in _TERM.findall(text):
        plain = re.sub(r"\\(.)", r"\1", term[1:-1]) if term.startswith('"') else term
        {"": required, "?": optional, "-": excluded}[sign].append(plain)

    def matches(message: str) -> bool:
        return (
            all(term in message for term in required)
            # Beside required terms optional ones decide nothing.
            and (not optional or bool(required) or any(term in message for term in optional))
            and not any(term in message for term in excluded)
        )

    return matches


def _json_matcher(text: str) -> Matches:
    if not text.endswith("}"):
        raise PatternError(f"}} is missing: {text[:40]}")
    test = _Parser(text[1:-1]).parse()

    def matches(message: str) -> bool:
        try:
            event = json.loads(message)
        except ValueError:
            return False
        return test(event)

    return matches


class _Parser:
    """Recursive descent over `&&`, `||`, parentheses and comparisons."""

    def __init__(self, text: str) -> None:
        self._tokens: list[str] = []
        at, text = 0, text.strip()
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None:
                raise PatternError(f"not understood: {text[at : at + 20]}")
            self._tokens.append(match[1])
            at = match.end()
        self._at = 0

    def parse(self) -> _Test:
        test = self._either()
        if self._at != len(self._tokens):
            raise PatternError(f"not understood: {self._tokens[self._at]}")
        return test

    def _either(self) -> _Test:
        tests = [self._both()]
        while self._take("||"):
            tests.append(self._both())
        return lambda event: any(test(event) for test in tests)

    def _both(self) -> _Test:
        tests = [self._one()]
        while self._take("&&"):
            tests.append(self._one())
        return lambda event: all(test(event) for test in tests)

    def _one(self) -> _Test:
        if self._take("("):
            test = self._either()
            if not self._take(")"):
                raise PatternError(") is missing")
            return test
        selector, relation = self._next(), self._next().upper()
        if not selector.startswith("$"):
            raise PatternError(f"a selector is expected, not {selector}")
        known = _STATES.get(" ".join(relation.split()))
        if known:
            return lambda event: known(_found(event, selector))
        return _comparison(selector, relation, self._next())

    def _next(self) -> str:
        if self._at >= len(self._tokens):
            raise PatternError("it ends too early")
        self._at += 1
        return self._tokens[self._at - 1]

    def _take(self, token: str) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at] == token:
            self._at += 1
            return True
        return False


_STATES: Mapping[str, Callable[[Json], bool]] = {
    "EXISTS": lambda found: found is not _MISSING,
    "NOT EXISTS": lambda found: found is _MISSING,
    "IS NULL": lambda found: found is None,
    "IS TRUE": lambda found: found is True,
    "IS FALSE": lambda found: found is False,
}


def _comparison(selector: str, relation: str, wanted: str) -> _Test:
    if relation in _ORDER:
        limit = float(wanted)
        return lambda event: _is_number(_found(event, selector)) and _ORDER[relation](_found(event, selector), limit)
    if relation not in ("=", "!="):
        raise PatternError(f"{relation} is no comparison")
    text = re.sub(r"\\(.)", r"\1", wanted[1:-1]) if wanted.startswith('"') else wanted
    # `*` is the one wildcard there is: `[` and `?` mean themselves.
    glob = text.replace("[", "[[]").replace("?", "[?]")

    def equal(event: Json) -> bool:
        found = _found(event, selector)
        if found is _MISSING or found is None or isinstance(found, dict | list):
            return False
        if _is_number(found) and not wanted.startswith('"'):
            return _number(text) == float(found)
        return fnmatchcase(str(found).lower() if isinstance(found, bool) else str(found), glob)

    if relation == "=":
        return equal
    return lambda event: _found(event, selector) is not _MISSING and not equal(event)


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _found(event: Json, selector: str) -> Json:
    """`$.a.b[0].c` in an event."""
    at = event
    for name, index in re.findall(r"\.?([\w@:$-]+)|\[(\d+)\]", selector[1:]):
        if index:
            if not isinstance(at, list) or int(index) >= len(at):
                return _MISSING
            at = at[int(index)]
        elif isinstance(at, dict) and name in at:
            at = at[name]
        else:
            return _MISSING
    return at
