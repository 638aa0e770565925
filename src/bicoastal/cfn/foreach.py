"""Writes out `Fn::ForEach` loops (AWS::LanguageExtensions), and remembers where each entry came from."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

Path = tuple[str | int, ...]
_PREFIX = "Fn::ForEach::"
_MAX_ENTRIES = 2000
"""A template holds 500 resources; nested loops that go beyond this are a mistake or an attack."""


def expanded(
    section: Mapping[str, Any], name: str, evaluate: Callable[[Any], Any]
) -> tuple[dict[str, Any], dict[str, Path]]:
    """The section without loops, and the path in the file of each entry. A loop over what is not known is left out."""
    entries: dict[str, Any] = {}
    origins: dict[str, Path] = {}
    for key, body in section.items():
        if key.startswith(_PREFIX):
            _loop(body, (name, key), evaluate, entries, origins)
        else:
            entries[key] = body
            origins[key] = (name, key)
    return entries, origins


def _loop(
    body: Any, path: Path, evaluate: Callable[[Any], Any], entries: dict[str, Any], origins: dict[str, Path]
) -> None:
    if not (isinstance(body, list) and len(body) == 3 and isinstance(body[0], str) and isinstance(body[2], dict)):
        return
    variable, collection, templates = body
    values = evaluate(collection)
    if not isinstance(values, list):
        return
    for value in values:
        if not isinstance(value, str | int) or len(entries) >= _MAX_ENTRIES:
            continue
        for pattern, content in templates.items():
            filled, inner = _filled(pattern, variable, str(value)), _filled(content, variable, str(value))
            if filled.startswith(_PREFIX):
                _loop(inner, (*path, 2, pattern), evaluate, entries, origins)
            else:
                entries[filled] = inner
                origins[filled] = (*path, 2, pattern)


def _filled(node: Any, variable: str, value: str) -> Any:
    """The node with `${Variable}`, `&{Variable}` and `Ref: Variable` replaced."""
    if isinstance(node, str):
        plain = node.replace(f"${{{variable}}}", value)
        return re.sub(rf"&\{{{re.escape(variable)}\}}", re.sub(r"[^A-Za-z0-9]", "", value), plain)
    if isinstance(node, list):
        return [_filled(item, variable, value) for item in node]
    if isinstance(node, dict):
        if node == {"Ref": variable}:
            return value
        return {_filled(key, variable, value): _filled(item, variable, value) for key, item in node.items()}
    return node
