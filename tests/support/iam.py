"""A small IAM: whether policies allow an action, by AWS's published evaluation logic for one account.

Everything that a statement may contain and that is not understood here raises, so that no test passes by a misreading.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

Json = Any
Context = Mapping[str, str | Sequence[str]]

_STATEMENT = {"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"}


@dataclass(frozen=True)
class Request:
    """Somebody's call: the action, the resource's ARN, and the condition keys that AWS puts beside it."""

    action: str
    resource: str = "*"
    context: Context = field(default_factory=dict)


def allowed(request: Request, identity: Iterable[Json], boundary: Json | None = None) -> bool:
    """Whether the identity's policies, within the boundary, allow the request."""
    identity = list(identity)
    if any(_matches(statement, request) == "Deny" for document in identity for statement in _statements(document)):
        return False
    if not any(_matches(statement, request) == "Allow" for document in identity for statement in _statements(document)):
        return False
    return boundary is None or allowed(request, [boundary])


def actions_of(documents: Iterable[Json], effect: str = "Allow") -> set[str]:
    """Every action that the documents name with this effect."""
    return {
        action
        for document in documents
        for statement in _statements(document)
        if statement["Effect"] == effect
        for action in _list(statement.get("Action", []))
    }


def _statements(document: Json) -> list[Json]:
    return _list(document["Statement"])


def _matches(statement: Json, request: Request) -> str | None:
    """The statement's effect if it speaks of the request."""
    unknown = set(statement) - _STATEMENT
    if unknown:
        raise NotImplementedError(f"statement with {unknown}")
    if not _covers(statement, "Action", request.action.lower(), lower=True):
        return None
    if not _covers(statement, "Resource", request.resource, context=request.context):
        return None
    holds = all(
        _condition(operator, key, _list(values), request.context)
        for operator, keys in statement.get("Condition", {}).items()
        for key, values in keys.items()
    )
    return str(statement["Effect"]) if holds else None


def _covers(statement: Json, element: str, wanted: str, *, lower: bool = False, context: Context | None = None) -> bool:
    patterns = _list(statement.get(element, statement.get(f"Not{element}")))
    filled = [_fill(pattern.lower() if lower else pattern, context or {}) for pattern in patterns]
    found = any(_like(wanted, pattern) for pattern in filled)
    return found if element in statement else not found


def _condition(operator: str, key: str, values: list[str], context: Context) -> bool:
    quantifier, _, test = operator.rpartition(":")
    present = _list(context.get(key, []))
    if test == "Null":
        return str(not present).lower() in (str(value).lower() for value in values)
    if test.endswith("IfExists"):
        test = test.removesuffix("IfExists")
        if not present:
            return True
    negative = "Not" in test
    kind = test.replace("Not", "")
    if kind not in ("StringEquals", "StringLike", "ArnLike", "ArnEquals", "Bool"):
        raise NotImplementedError(operator)
    patterns = [_fill(str(value), context) for value in values]

    def one(value: str) -> bool:
        equal = kind in ("StringEquals", "Bool")
        found = any(value == pattern if equal else _like(value, pattern) for pattern in patterns)
        return found != negative

    if quantifier == "ForAllValues":
        return all(one(value) for value in present)
    if quantifier == "ForAnyValue":
        return any(one(value) for value in present)
    if quantifier:
        raise NotImplementedError(operator)
    return one(present[0]) if present else negative


def _like(value: str, pattern: str) -> bool:
    """IAM's wildcards are `*` and `?`; brackets are letters."""
    return fnmatchcase(value, pattern.replace("[", "[[]"))


def _fill(pattern: str, context: Context) -> str:
    """Policy variables, such as `${aws:userid}`."""
    for key, value in context.items():
        if isinstance(value, str):
            pattern = pattern.replace(f"${{{key}}}", value)
    return pattern


def _list(value: Json) -> list[Json]:
    return list(value) if isinstance(value, list | tuple) else [] if value is None else [value]
