"""What stands in a step's inputs: placeholders such as `{{ Launch.InstanceId }}`, and selectors into an answer."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from bicoastal.core.errors import SystemFault

Json = Any
LookUp = Callable[[str], Json]
_PLACEHOLDER = re.compile(r"\{\{\s*([^{}]+?)\s*\}\}")
_PART = re.compile(r"\.([A-Za-z0-9_:-]+|\*)|\['([^']*)'\]|\[\"([^\"]*)\"\]|\[(-?\d+|\*)\]")
_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?")


def filled(value: Json, look_up: LookUp) -> Json:
    """The value with its placeholders replaced; one that is the whole text keeps its type. Raises SystemFault."""
    if isinstance(value, dict):
        return {filled(key, look_up): filled(item, look_up) for key, item in value.items()}
    if isinstance(value, list):
        return [filled(item, look_up) for item in value]
    if not isinstance(value, str):
        return value
    whole = _PLACEHOLDER.fullmatch(value.strip())
    if whole:
        return look_up(whole[1])
    return _PLACEHOLDER.sub(lambda found: as_text(look_up(found[1])), value)


def as_text(value: Json) -> str:
    """As it stands inside a text, and in the API's lists of outputs."""
    if isinstance(value, str):
        return value
    return str(value).lower() if isinstance(value, bool) else json.dumps(value, default=_plain)


def plain(value: Json) -> Json:
    """An answer of the API as JSON: times as texts, and what streams as the text that it is."""
    return json.loads(json.dumps(value, default=_plain))


def _plain(value: Json) -> Json:
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if hasattr(value, "read"):
        value = value.read()
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def selected(document: Json, selector: str) -> Json:
    """What a JSONPath finds: names, indexes and `*`. Raises SystemFault for one that finds nothing, or is another."""
    if selector in ("$", ""):
        return document
    parts = list(_parts(selector))
    found = [document]
    many = False
    for part in parts:
        many = many or part == "*"
        found = [item for value in found for item in _children(value, part)]
    if many:
        return found
    if not found:
        raise SystemFault(f"{selector} selects nothing in the answer")
    return found[0]


def _parts(selector: str) -> Iterator[str | int]:
    at = 1
    while at < len(selector):
        found = _PART.match(selector, at)
        if not selector.startswith("$") or found is None:
            raise SystemFault(f"{selector}: the twin reads JSONPaths of names, indexes and *")
        name = next(group for group in found.groups() if group is not None)
        yield int(name) if found[4] not in (None, "*") else name
        at = found.end()


def _children(value: Json, part: str | int) -> list[Json]:
    if part == "*":
        return list(value.values()) if isinstance(value, dict) else list(value) if isinstance(value, list) else []
    if isinstance(part, int):
        return [value[part]] if isinstance(value, list) and -len(value) <= part < len(value) else []
    return [value[part]] if isinstance(value, dict) and part in value else []


_TYPES: dict[str, tuple[type, ...]] = {
    "String": (str, int, float, bool),
    "StringList": (list,),
    "Integer": (int,),
    "Boolean": (bool,),
    "StringMap": (dict,),
    "MapList": (list,),
}


def typed(value: Json, kind: str, what: str) -> Json:
    """The value, if it is of an output's type. Raises SystemFault where it is not."""
    if kind not in _TYPES or not isinstance(value, _TYPES[kind]) or (kind == "Integer" and isinstance(value, bool)):
        raise SystemFault(f"{what} is no {kind}: {as_text(value)[:200]}")
    return as_text(value) if kind == "String" else value


def as_strings(value: Json) -> list[str]:
    """As the API lists a value."""
    return [as_text(item) for item in value] if isinstance(value, list) else [as_text(value)]


def from_strings(values: list[str], kind: str) -> Json:
    """The value that the API has listed so."""
    match kind:
        case "StringList":
            return values
        case "MapList":
            return [json.loads(value) for value in values]
        case "Integer" | "Boolean" | "StringMap":
            return json.loads(values[0])
        case _:
            return values[0] if values else ""


def duration_s(text: str) -> float:
    """Seconds of an ISO 8601 duration: `PT5M`. Raises SystemFault for what is none."""
    found = _DURATION.fullmatch(text)
    if found is None or not any(found.groups()):
        raise SystemFault(f"{text!r} is no duration as ISO 8601 writes them, such as PT5M")
    days, hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds
