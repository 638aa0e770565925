"""What a template's value can turn out to be, once it is evaluated in a region.

    known       text, number, truth value, list, mapping: plain Python
    Reference   the id or an attribute of a resource that AWS will only name when it is created
    Text        a text with such references, or unknowns, in it: `arn:aws:iam::123456789012:role/${Role}` still leads
    to the role Unknown     cannot be known from the templates; the reason is said, and nothing that looks like a value
    is made up (design D14)

`Value` is `Any` because JSON has no tighter static type; everything here is frozen or never changed after it was made.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

Value = Any


class _NoValue:
    """`AWS::NoValue`: the property, item or attribute that holds it is not there."""

    def __repr__(self) -> str:
        return "NO_VALUE"


NO_VALUE: Final = _NoValue()


@dataclass(frozen=True, slots=True)
class Reference:
    """A resource's physical id (`attribute` empty) or one of its attributes."""

    stack: str
    """The stack's id in the deployment; empty for what is the account's or the region's, such as its number."""
    resource: str
    """Logical id."""
    attribute: str = ""

    def __str__(self) -> str:
        stack, attribute = self.stack and f"{self.stack}/", self.attribute and f".{self.attribute}"
        return f"${{{stack}{self.resource}{attribute}}}"


@dataclass(frozen=True, slots=True)
class Unknown:
    """Cannot be known from the templates, with the reason in words."""

    reason: str
    options: tuple[Value, ...] = ()
    """The values that it can have, where those are known: both branches of an undecided `Fn::If`."""

    def __str__(self) -> str:
        return "${?}"


@dataclass(frozen=True, slots=True)
class Text:
    """A text with holes: literal parts and what fills the holes, in order. Never two literals in a row."""

    parts: tuple[str | Reference | Unknown, ...]

    def __str__(self) -> str:
        return "".join(str(part) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Encoded:
    """A text that goes to AWS in base64, kept in clear: what is inside is what a reader wants to judge."""

    text: Value

    def __str__(self) -> str:
        return base64.b64encode(self.text.encode()).decode() if isinstance(self.text, str) else str(self.text)


ACCOUNT: Final = Reference("", "AWS::AccountId")
"""All stacks of a deployment stand in one account."""


def text_of(parts: Iterable[Value]) -> Value:
    """Put parts into one text: a plain `str` where everything is known, the part itself where it is alone."""
    merged: list[str | Reference | Unknown] = []
    for part in _flat(parts):
        piece = part if isinstance(part, Reference | Unknown) else scalar_text(part)
        if isinstance(piece, str):
            if not piece:
                continue
            if merged and isinstance(merged[-1], str):
                merged[-1] += piece
                continue
        merged.append(piece)
    if not merged:
        return ""
    return merged[0] if len(merged) == 1 else Text(tuple(merged))


def _flat(parts: Iterable[Value]) -> Iterator[Value]:
    for part in parts:
        if isinstance(part, Text):
            yield from part.parts
        else:
            yield part


def scalar_text(value: Value) -> str | Unknown:
    """A known scalar as CloudFormation writes it into a text; anything else is unknown with the reason."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case Encoded(text) if isinstance(text, str):
            return str(value)
        case None:
            return Unknown("null has no text")
        case _:
            return Unknown("a list or a mapping stands where a text is wanted")


def pieces(value: Value) -> tuple[Value, ...]:
    """The parts of a text; a tuple of the value itself for anything else."""
    return value.parts if isinstance(value, Text) else (value,)


Places = list[tuple[tuple[str | int, ...], Any]]


def references(value: Value, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Reference]]:
    """Every reference in a value, with its path; in both branches of an undecided `Fn::If` too."""
    found: Places = []
    _walk(value, path, found, branches=True)
    return ((place, item) for place, item in found if type(item) is Reference)


def unknowns(value: Value, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Unknown]]:
    """Every unknown in a value with the path at which it stands."""
    found: Places = []
    _walk(value, path, found, branches=False)
    return ((place, item) for place, item in found if type(item) is Unknown)


def _walk(value: Value, path: tuple[str | int, ...], found: Places, *, branches: bool) -> None:
    """Collects references and unknowns in the order in which they stand. Most of a review's time was spent here."""
    kind = type(value)
    if kind is dict:
        for key, item in value.items():
            if type(item) is not str:
                _walk(item, (*path, key), found, branches=branches)
    elif kind is list:
        for position, item in enumerate(value):
            if type(item) is not str:
                _walk(item, (*path, position), found, branches=branches)
    elif isinstance(value, Reference | Unknown):
        found.append((path, value))
        for option in value.options if branches and isinstance(value, Unknown) else ():
            _walk(option, path, found, branches=branches)
    elif isinstance(value, Text):
        for part in value.parts:
            _walk(part, path, found, branches=branches)
    elif isinstance(value, Encoded):
        _walk(value.text, path, found, branches=branches)
