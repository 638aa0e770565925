"""What AWS's own resource schemas accept: unknown and missing properties, types, enumerations, patterns, lengths.

CloudFormation checks a resource's properties against the schema of its provider before it calls the service; so does
the twin, for every type. The schemas are those that AWS publishes, as cfn-lint ships them with the exclusions that it
adds. Values are given the schema's types on the way, as CloudFormation does: "true" becomes true for a boolean.
"""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

Json = Any
_PROVIDER_REGION = "us-east-1"


class Refused(ValueError):  # noqa: N818 - it reads as what AWS did
    """AWS would not do this; the message is the reason that it gives."""


@lru_cache(maxsize=512)
def schema_of(type_: str) -> Mapping[str, Json] | None:
    """The provider's schema of a resource type; None for a type that has none."""
    name = _names().get(type_)
    if name is None:
        return None
    loaded: Mapping[str, Json] = json.loads((_folder() / "resources" / f"{name}.json").read_text())
    return loaded


def checked(type_: str, properties: Mapping[str, Json]) -> dict[str, Json]:
    """The properties with their values in the schema's types. Raises Refused, naming each property that is wrong."""
    schema = schema_of(type_)
    if schema is None:
        return dict(properties)
    reader = _Reader(schema)
    value = reader.read(schema, properties, "#")
    wrong = [*reader.errors, *_read_only(schema, properties)]
    if wrong:
        raise Refused("Properties validation failed with message: " + "; ".join(wrong[:8]))
    return dict(value)


def create_only(type_: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The type's top-level properties whose change replaces the resource: always, and conditionally."""
    schema = schema_of(type_) or {}
    return (
        _top_level(schema.get("createOnlyProperties", ())),
        _top_level(schema.get("conditionalCreateOnlyProperties", ())),
    )


def tag_property(type_: str) -> tuple[str, str] | None:
    """The property that carries the type's tags, and whether it is a `list` of Key and Value or a `map`."""
    schema = schema_of(type_) or {}
    tagging = schema.get("tagging") or {}
    if not tagging.get("taggable", False):
        return None
    name = str(tagging.get("tagProperty", "/properties/Tags")).removeprefix("/properties/")
    declared = schema["properties"].get(name)
    if declared is None:
        return None
    return name, "list" if _Reader(schema).follow(declared).get("type") == "array" else "map"


def _top_level(paths: Any) -> tuple[str, ...]:
    names = [str(path).removeprefix("/properties/") for path in paths]
    return tuple(sorted(name for name in names if "/" not in name))


def _read_only(schema: Mapping[str, Json], properties: Mapping[str, Json]) -> Iterator[str]:
    writable = set(_top_level(schema.get("createOnlyProperties", ())))
    for name in _top_level(schema.get("readOnlyProperties", ())):
        if name in properties and name not in writable:
            yield f"#: extraneous key [{name}] is not permitted, it is read-only"


class _Reader:
    """Reads one value by one schema, collecting what is wrong."""

    def __init__(self, root: Mapping[str, Json]) -> None:
        self._root = root
        self.errors: list[str] = []

    def follow(self, schema: Mapping[str, Json]) -> Mapping[str, Json]:
        """The schema that a reference leads to."""
        while "$ref" in schema:
            found: Any = self._root
            for step in schema["$ref"].removeprefix("#/").split("/"):
                found = found[step]
            schema = found
        return schema

    def read(self, schema: Mapping[str, Json], value: Json, at: str) -> Json:
        schema = self.follow(schema)
        if "type" in schema:
            value, fits = _as_type(schema["type"], value)
            if not fits:
                wanted = schema["type"]
                self.errors.append(f"{at}: expected type: {wanted}, found: {type(value).__name__}")
                return value
        if isinstance(value, dict):
            value = self._object(schema, value, at)
        elif isinstance(value, list):
            value = self._array(schema, value, at)
        self._scalar(schema, value, at)
        self._alternatives(schema, value, at)
        return value

    def _object(self, schema: Mapping[str, Json], value: dict[str, Json], at: str) -> dict[str, Json]:
        known = schema.get("properties", {})
        patterns = schema.get("patternProperties", {})
        extra = schema.get("additionalProperties", True)
        read: dict[str, Json] = {}
        for name, item in value.items():
            pattern = next((p for p in patterns if (r := _regex(p)) and r.search(name)), None)
            if name in known:
                read[name] = self.read(known[name], item, f"{at}/{name}")
            elif pattern is not None:
                read[name] = self.read(patterns[pattern], item, f"{at}/{name}")
            elif extra is False:
                self.errors.append(f"{at}: extraneous key [{name}] is not permitted")
            else:
                read[name] = self.read(extra, item, f"{at}/{name}") if isinstance(extra, dict) else item
        self._presence(schema, read, at)
        return read

    def _presence(self, schema: Mapping[str, Json], value: Mapping[str, Json], at: str) -> None:
        for name in schema.get("required", ()):
            if name not in value:
                self.errors.append(f"{at}: required key [{name}] not found")
        for name, needs in schema.get("dependentRequired", {}).items():
            if name in value:
                self.errors += [f"{at}: [{name}] needs [{need}]" for need in needs if need not in value]
        for name, others in schema.get("dependentExcluded", {}).items():
            if name in value:
                self.errors += [f"{at}: [{other}] is not allowed with [{name}]" for other in others if other in value]
        # An exclusive choice: one of them, and not two.
        choice = schema.get("requiredXor", ())
        if choice and sum(name in value for name in choice) != 1:
            self.errors.append(f"{at}: exactly one of {list(choice)} is required")
        choice = schema.get("requiredOr", ())
        if choice and not any(name in value for name in choice):
            self.errors.append(f"{at}: one of {list(choice)} is required")
        if len(value) < schema.get("minProperties", 0):
            self.errors.append(f"{at}: fewer than {schema['minProperties']} properties")

    def _array(self, schema: Mapping[str, Json], value: list[Json], at: str) -> list[Json]:
        items = schema.get("items")
        if isinstance(items, dict):
            value = [self.read(items, item, f"{at}/{index}") for index, item in enumerate(value)]
        if len(value) < schema.get("minItems", 0):
            self.errors.append(f"{at}: expected minimum item count: {schema['minItems']}, found: {len(value)}")
        if "maxItems" in schema and len(value) > schema["maxItems"]:
            self.errors.append(f"{at}: expected maximum item count: {schema['maxItems']}, found: {len(value)}")
        if schema.get("uniqueItems") and len({json.dumps(item, sort_keys=True) for item in value}) < len(value):
            self.errors.append(f"{at}: array items are not unique")
        return value

    def _scalar(self, schema: Mapping[str, Json], value: Json, at: str) -> None:
        if "enum" in schema and not any(_same(value, choice) for choice in schema["enum"]):
            self.errors.append(f"{at}: {value!r} is not a valid enum value of {schema['enum']}")
        if "const" in schema and not _same(value, schema["const"]):
            self.errors.append(f"{at}: {value!r} is not {schema['const']!r}")
        if isinstance(value, str):
            if len(value) < schema.get("minLength", 0):
                self.errors.append(f"{at}: expected minLength: {schema['minLength']}, actual: {len(value)}")
            if "maxLength" in schema and len(value) > schema["maxLength"]:
                self.errors.append(f"{at}: expected maxLength: {schema['maxLength']}, actual: {len(value)}")
            pattern = _regex(schema["pattern"]) if "pattern" in schema else None
            if pattern is not None and not pattern.search(value):
                self.errors.append(f"{at}: string [{value[:80]}] does not match pattern {schema['pattern']}")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            if "minimum" in schema and value < schema["minimum"]:
                self.errors.append(f"{at}: {value} is not greater or equal to {schema['minimum']}")
            if "maximum" in schema and value > schema["maximum"]:
                self.errors.append(f"{at}: {value} is not less or equal to {schema['maximum']}")

    def _alternatives(self, schema: Mapping[str, Json], value: Json, at: str) -> None:
        for part in schema.get("allOf", ()):
            self.read(part, value, at)
        for keyword in ("anyOf", "oneOf"):
            if keyword not in schema:
                continue
            passed = sum(self._holds(part, value) for part in schema[keyword])
            if passed == 0 or (keyword == "oneOf" and passed > 1):
                self.errors.append(f"{at}: {passed} subschemas matched {'one' if passed else 'any'} of {keyword}")

    def _holds(self, schema: Mapping[str, Json], value: Json) -> bool:
        other = _Reader(self._root)
        other.read(schema, value, "#")
        return not other.errors


def _as_type(wanted: Any, value: Json) -> tuple[Json, bool]:
    """The value in the first of the wanted types that it can be read as, and whether there is one."""
    for type_ in wanted if isinstance(wanted, list) else [wanted]:
        read, fits = _as_one(type_, value)
        if fits:
            return read, True
    return value, False


def _as_one(type_: str, value: Json) -> tuple[Json, bool]:  # noqa: PLR0911 - a case for each type
    match type_:
        case "object":
            return value, isinstance(value, dict)
        case "array":
            return value, isinstance(value, list)
        case "string":
            if isinstance(value, bool):
                return str(value).lower(), True
            return (str(value), True) if isinstance(value, str | int | float) else (value, False)
        case "boolean":
            if isinstance(value, str) and value in ("true", "false"):
                return value == "true", True
            return value, isinstance(value, bool)
        case "integer":
            if isinstance(value, str) and re.fullmatch(r"-?\d+", value):
                return int(value), True
            return value, isinstance(value, int) and not isinstance(value, bool)
        case "number":
            if isinstance(value, str) and re.fullmatch(r"-?\d+(\.\d+)?([eE]-?\d+)?", value):
                return float(value) if set(value) & set(".eE") else int(value), True
            return value, isinstance(value, int | float) and not isinstance(value, bool)
    return value, value is None


def _same(value: Json, choice: Json) -> bool:
    return bool(value == choice) or (not isinstance(value, dict | list) and str(value) == str(choice))


@lru_cache(maxsize=4096)
def _regex(pattern: str) -> re.Pattern[str] | None:
    """None for one that Python cannot read: AWS writes some in Java's dialect. The value then passes unread."""
    try:
        return re.compile(pattern)
    except re.error:
        return None


@lru_cache(maxsize=1)
def _names() -> Mapping[str, str]:
    names: Mapping[str, str] = json.loads((_folder() / "providers" / f"{_PROVIDER_REGION}.json").read_text())
    return names


@lru_cache(maxsize=1)
def _folder() -> Path:
    """Found without importing cfn-lint, which takes a second."""
    found = importlib.util.find_spec("cfnlint")
    if found is None or found.origin is None:
        raise RuntimeError("the twin needs the resource schemas of cfn-lint: install bicoastal[twin]")
    return Path(found.origin).parent / "data" / "schemas"
