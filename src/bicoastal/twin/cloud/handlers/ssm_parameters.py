"""The parameters of Systems Manager's documents: what is given is held to what the document declares.

Automation and Run Command give them alike, as lists of strings, and refuse them with an error of their own each.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from bicoastal.twin.cloud.registry import ServiceError

Json = Any
_PLACEHOLDER = re.compile(r"\{\{\s*([A-Za-z0-9_]+)\s*\}\}")
_MANY = ("StringList", "MapList")


def checked(declared: Mapping[str, Json], given: Mapping[str, Sequence[str]], code: str) -> dict[str, list[str]]:
    """What the document runs with, defaults included. Raises ServiceError with `code` as Systems Manager refuses it."""
    unknown = sorted(set(given) - set(declared))
    if unknown:
        raise ServiceError(code, f"Parameters [{', '.join(unknown)}] are not defined in the document.")
    found = {}
    for name, definition in declared.items():
        if name in given:
            values = [str(value) for value in given[name]]
        elif "default" in definition:
            values = _as_strings(definition["default"])
        else:
            raise ServiceError(code, f"Parameter {name} is required: the document has no default for it.")
        _check(name, definition, values, code)
        found[name] = values
    return found


def _as_strings(value: Json) -> list[str]:
    items = value if isinstance(value, list) else [value]
    return [item if isinstance(item, str) else json.dumps(item) for item in items]


def _check(name: str, definition: Mapping[str, Json], values: list[str], code: str) -> None:
    kind = str(definition.get("type", "String"))
    if kind not in _MANY and not kind.startswith("List<") and len(values) != 1:
        raise ServiceError(code, f"Parameter {name} is of type {kind}: one value is needed, {len(values)} were given.")
    allowed = definition.get("allowedValues")
    pattern = definition.get("allowedPattern")
    for value in values:
        _check_type(name, kind, value, code)
        if allowed is not None and value not in _as_strings(list(allowed)):
            raise ServiceError(code, f"Parameter {name}: {value!r} is not one of the allowed values {list(allowed)}.")
        if pattern is not None and not re.fullmatch(str(pattern), value):
            raise ServiceError(code, f"Parameter {name}: {value!r} does not match the allowed pattern {pattern}.")
        if not int(definition.get("minChars", 0)) <= len(value) <= int(definition.get("maxChars", len(value))):
            raise ServiceError(code, f"Parameter {name}: its value is shorter or longer than the document allows.")


def _check_type(name: str, kind: str, value: str, code: str) -> None:
    wrong = (
        (kind == "Integer" and not re.fullmatch(r"-?[0-9]+", value))
        or (kind == "Boolean" and value.lower() not in ("true", "false"))
        or (kind in ("StringMap", "MapList") and not _is_map(value))
    )
    if wrong:
        raise ServiceError(code, f"Parameter {name}: {value!r} is no {kind}.")


def _is_map(value: str) -> bool:
    try:
        return isinstance(json.loads(value), dict)
    except ValueError:
        return False


def filled(text: str, parameters: Mapping[str, Sequence[str]]) -> str:
    """A text with its `{{ Parameter }}`s; what is none of the parameters stays as it is."""

    def value(found: re.Match[str]) -> str:
        return parameters[found[1]][0] if parameters.get(found[1]) else found[0]

    return _PLACEHOLDER.sub(value, text)
