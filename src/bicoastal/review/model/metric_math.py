"""Computes CloudWatch metric math over single numbers: enough to see when an alarm rings.

A small recursive-descent parser, since the text comes from templates of strangers and must not be run.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_TOKEN = re.compile(r"\s*(?:(\d+\.?\d*)|([A-Za-z_]\w*)|(>=|<=|==|!=|&&|\|\||[-+*/<>(),]))")
_MAX_TOKENS = 500

Lookup = Callable[[str], float]


class Formula:
    """A parsed expression. Raises ValueError for what it does not know."""

    def __init__(self, text: str) -> None:
        self._tokens: list[str] = []
        position, text = 0, text.strip()
        while position < len(text):
            match = _TOKEN.match(text, position)
            if match is None or len(self._tokens) > _MAX_TOKENS:
                raise ValueError(f"not understood: {text[position : position + 20]}")
            self._tokens.append(match[1] or match[2] or match[3])
            position = match.end()
        self._at = 0
        self._lookup: Lookup = _nothing

    def value(self, lookup: Lookup) -> float:
        """The result, with `lookup` giving metrics and other expressions by their id."""
        self._at, self._lookup = 0, lookup
        result = self._either()
        if self._at != len(self._tokens):
            raise ValueError(f"not understood: {self._tokens[self._at]}")
        return result

    def _next(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _take(self, *wanted: str) -> str:
        token = self._next()
        if token.upper() not in wanted:
            return ""
        self._at += 1
        return token.upper()

    def _either(self) -> float:
        left = self._both()
        while self._take("OR", "||"):
            right = self._both()
            left = float(bool(left) or bool(right))
        return left

    def _both(self) -> float:
        left = self._comparison()
        while self._take("AND", "&&"):
            right = self._comparison()
            left = float(bool(left) and bool(right))
        return left

    def _comparison(self) -> float:
        left = self._sum()
        while operator := self._take(">", "<", ">=", "<=", "==", "!="):
            right = self._sum()
            left = float(
                {
                    ">": left > right,
                    "<": left < right,
                    ">=": left >= right,
                    "<=": left <= right,
                    "==": left == right,
                    "!=": left != right,
                }[operator]
            )
        return left

    def _sum(self) -> float:
        left = self._product()
        while operator := self._take("+", "-"):
            right = self._product()
            left = left + right if operator == "+" else left - right
        return left

    def _product(self) -> float:
        left = self._atom()
        while operator := self._take("*", "/"):
            right = self._atom()
            left = left * right if operator == "*" else left / right
        return left

    def _atom(self) -> float:
        if self._take("-"):
            return -self._atom()
        if self._take("("):
            inner = self._either()
            self._expect(")")
            return inner
        token = self._next()
        self._at += 1
        if token[:1].isdigit():
            return float(token)
        if not token[:1].isalpha() and token[:1] != "_":
            raise ValueError(f"not understood: {token or 'the end'}")
        return self._call(token.upper()) if self._next() == "(" else self._lookup(token)

    def _call(self, name: str) -> float:
        self._expect("(")
        values = [self._either()]
        while self._take(","):
            values.append(self._either())
        self._expect(")")
        match name, values:
            case "IF", [test, yes, no]:
                return yes if test else no
            case "IF", [test, yes]:
                return yes if test else 0.0
            case "FILL", [value, _]:
                return value
            case "MAX" | "MIN" | "SUM", [*_]:
                return max(values) if name == "MAX" else min(values) if name == "MIN" else sum(values)
        raise ValueError(f"{name} is not understood")

    def _expect(self, token: str) -> None:
        if not self._take(token):
            raise ValueError(f"{token} is missing before {self._next() or 'the end'}")


def _nothing(name: str) -> float:
    raise ValueError(f"{name} is not known")
