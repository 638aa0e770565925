"""Writes the tables of `docs/spec.md` from the model: every field with its default, its limits and what it is for.

`.venv/bin/python -m bench.spec_reference`; a test fails while the page is not current. The prose around the tables is
written by hand.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bicoastal.spec.model import WORDS, Spec
from bicoastal.spec.schema import schema

PAGE = Path(__file__).parent.parent / "docs" / "spec.md"
BEGIN, END = "<!-- fields: written by bench/spec_reference.py -->", "<!-- /fields -->"


def main() -> None:
    """Write the page anew."""
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


def page(text: str) -> str:
    """The page with its tables as the model has them."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{tables()}{END}{after}"


def tables() -> str:
    """One table for the top, one for each group of keys, in the order of the model."""
    made = schema()
    parts = [_table("Top level", "", made["properties"], made)]
    for name in Spec.model_fields:
        parts.extend(_groups(name, made["properties"][name], made))
    return "\n".join(parts)


def _groups(path: str, field: Mapping[str, Any], made: Mapping[str, Any]) -> Iterator[str]:
    """The tables of a field that is a group of keys, and of the groups inside it."""
    inner = field.get("additionalProperties")
    group = _group(field, made) or (_group(inner, made) if isinstance(inner, dict) else None)
    if group is None:
        return
    below = f"{path}.<region>" if isinstance(inner, dict) else path
    yield _table(f"`{below}`", str(group.get("description", "")), group["properties"], made)
    for name, item in group["properties"].items():
        yield from _groups(f"{below}.{name}", item, made)


def _group(field: Mapping[str, Any], made: Mapping[str, Any]) -> Mapping[str, Any] | None:
    for candidate in (field, *field.get("anyOf", ())):
        found = made["$defs"].get(candidate.get("$ref", "").removeprefix("#/$defs/"), {})
        if "properties" in found:
            return dict(found)
    return None


def _table(title: str, about: str, fields: Mapping[str, Any], made: Mapping[str, Any]) -> str:
    lines = [f"### {title}", about, "", "| key | default | takes | what it is |", "|---|---|---|---|"]
    for name, field in fields.items():
        group = _group(field, made)
        about_field = field.get("description") or (group or {}).get("description", "")
        default = "us-east-1 and us-west-2" if name == "regions" else _default(field, group)
        lines.append(f"| `{name}` | {default} | {_takes(field, made)} | {about_field} |")
    return "\n".join(lines).replace("\n\n\n", "\n\n") + "\n"


def _default(field: Mapping[str, Any], group: Mapping[str, Any] | None) -> str:
    if "default" not in field and group is not None:
        return "required" if group.get("required") else "see below"
    if "default" not in field:
        return "none" if field.get("type") == "object" else "required"
    value = field["default"]
    if isinstance(value, dict):
        return "see below"
    if value is None or value == []:
        return "none"
    items = value if isinstance(value, list) else [value]
    return ", ".join(f"`{str(item).lower() if isinstance(item, bool) else item}`" for item in items)


def _takes(field: Mapping[str, Any], made: Mapping[str, Any]) -> str:
    """Limits in words."""
    options = [option for option in field.get("anyOf", (field,)) if option.get("type") != "null"]
    return " or ".join(_one(option, made) for option in options)


def _one(field: Mapping[str, Any], made: Mapping[str, Any]) -> str:
    target = made["$defs"].get(field.get("$ref", "").removeprefix("#/$defs/"), field)
    kind = target.get("type", "")
    values = target.get("enum", [target["const"]] if "const" in target else [])
    if values:
        return ", ".join(f"`{value}`" for value in values)
    if kind == "array":
        return f"list: {_one(target['items'], made)}"
    if target.get("format") == "ipv4network":
        return "a private network, /16 to /22"
    if "minimum" in target:
        return f"{target['minimum']} to {target['maximum']}" if "maximum" in target else f"{target['minimum']} or more"
    words = {"string": "text", "boolean": "`true`, `false`", "object": "keys"}
    return str(WORDS.get(target.get("pattern", ""), words.get(kind, kind))).replace("|", "\\|")


if __name__ == "__main__":
    main()
