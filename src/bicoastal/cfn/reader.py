"""Reads CloudFormation templates: YAML with its short forms, or JSON, with the position of every value.

Short forms (`!Ref`, `!GetAtt A.B`) become the long ones, so that nothing after this module knows two ways to say the
same thing. A file that is no template is said to be none, with the reason; only bytes that cannot be read at all
raise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bicoastal.core.documents import Document, parse, read
from bicoastal.core.findings import Finding, Location, Position, Severity

SECTIONS = frozenset(
    {
        "AWSTemplateFormatVersion",
        "Conditions",
        "Description",
        "Globals",
        "Hooks",
        "Mappings",
        "Metadata",
        "Modules",
        "Outputs",
        "Parameters",
        "Resources",
        "Rules",
        "Transform",
    }
)
_FUNCTIONS = frozenset(
    {
        "And",
        "Base64",
        "Cidr",
        "Contains",
        "Equals",
        "FindInMap",
        "GetAtt",
        "GetAZs",
        "GetStackOutput",
        "If",
        "ImportValue",
        "Join",
        "Length",
        "Not",
        "Or",
        "Select",
        "Split",
        "Sub",
        "ToJsonString",
        "Transform",
    }
)


@dataclass(frozen=True)
class Template:
    """A template as written, intrinsics in their long forms."""

    file: str
    body: Mapping[str, Any]
    findings: tuple[Finding, ...] = ()
    """What is wrong with the file as a file; `body` then holds what could be read."""
    not_a_template: str = ""
    """Why this file is not one, or empty."""
    _document: Document | None = field(default=None, repr=False, compare=False)

    def section(self, name: str) -> Mapping[str, Any]:
        """A section of the template, such as `Resources`; empty if it is absent or not a mapping."""
        value = self.body.get(name)
        return value if isinstance(value, Mapping) else {}

    def position(self, path: Sequence[str | int]) -> Position | None:
        """Where the entry at a path stands, or its nearest ancestor."""
        return self._document.position(path) if self._document else None

    def location(self, path: Sequence[str | int]) -> Location:
        """The same, for a finding."""
        return Location(self.file, self.position(path), tuple(path))

    def edited(self, path: Sequence[str | int], value: Any) -> Template:
        """A copy in which the entry at `path` has another value, or is absent (`value` is `...`). Positions stay.

        Raises LookupError, TypeError or ValueError where nothing on the way to `path` can hold it.
        """
        return replace(self, body=_edited(self.body, tuple(path), value))


def read_template(path: str | Path, name: str | None = None) -> Template:
    """Read a file, called `name` in reports. InputError for what cannot be read at all."""
    return _template(read(path, tag_hook=long_form), name or str(path))


def parse_template(text: str | bytes, file: str) -> Template:
    """Read a text. InputError for bytes that are not UTF-8 or too many."""
    return _template(parse(text, file, tag_hook=long_form), file)


def long_form(tag: str, value: Any) -> dict[str, Any]:
    """The long form of a short one. Raises ValueError for a tag that CloudFormation does not have."""
    name = tag.removeprefix("!")
    if name in ("Ref", "Condition"):
        return {name: value}
    if name not in _FUNCTIONS:
        raise ValueError(f"{tag} is not a function of CloudFormation: check the spelling, or put the text in quotes")
    if name == "GetAtt" and isinstance(value, str):
        resource, _, attribute = value.partition(".")
        return {"Fn::GetAtt": [resource, attribute]}
    return {f"Fn::{name}": value}


def _template(document: Document, file: str) -> Template:
    body = document.value
    if not isinstance(body, Mapping):
        what = "empty" if body is None else "a list" if isinstance(body, list) else "a plain text"
        why = "it cannot be read" if document.findings else f"its top level is {what}, not a mapping"
        return Template(file, {}, document.findings, why, document)
    resources = body.get("Resources")
    if not isinstance(resources, Mapping):
        why = "it has no section Resources" if resources is None else "its section Resources is not a mapping"
        return Template(file, body, document.findings, why, document)
    if "AWSTemplateFormatVersion" not in body and not _looks_like_resources(resources):
        return Template(file, body, document.findings, "nothing in its section Resources has a Type", document)
    strange = [key for key in body if key not in SECTIONS]
    findings = [
        Finding(
            "template-section",
            Severity.ERROR,
            f"{key} is not a section of a template",
            Location(file, document.position((key,)), (key,)),
            remedy="Move it under the section it belongs to, or remove it.",
        )
        for key in strange
    ]
    return Template(file, body, (*document.findings, *findings), "", document)


def _looks_like_resources(resources: Mapping[str, Any]) -> bool:
    return any(
        name.startswith("Fn::ForEach") or (isinstance(item, Mapping) and isinstance(item.get("Type"), str))
        for name, item in resources.items()
    )


def _edited(node: Any, path: tuple[Any, ...], value: Any) -> Any:
    head, rest = path[0], path[1:]
    copy: Any = list(node) if isinstance(node, list) else dict(node)
    if isinstance(copy, dict) and not isinstance(head, str):
        raise KeyError(head)
    if rest:
        copy[head] = _edited(copy[head], rest, value)
    elif value is not ...:
        copy[head] = value
    elif isinstance(copy, list) or head in copy:
        del copy[head]
    return copy
