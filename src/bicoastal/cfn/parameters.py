"""Values for templates' parameters, from files of the kinds that tools write, and from the command line.

    [{"ParameterKey": "Role", "ParameterValue": "primary"}]     the AWS CLI
    {"Parameters": {"Role": "primary"}}                         CodePipeline, and `parameters` of the SAM CLI's
    {"Role": "primary"}                                         anybody, in YAML, too

A value may be meant for one template, or one in one region: `Given` keeps both with who it is for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bicoastal.cfn.values import Unknown, scalar_text
from bicoastal.core.documents import read
from bicoastal.core.errors import InputError
from bicoastal.core.findings import Finding, Location, Severity

EVERYWHERE = "*"


@dataclass(frozen=True)
class Given:
    """A parameter's value, and what it is for."""

    target: str
    """A template's file or name, one in a region (`service.yaml@us-west-2`), a stack's id, or `*`."""
    name: str
    value: str
    wanted: bool = True
    """Somebody asked for exactly this one: a template that declares it must be there."""


def given(text: str) -> Given:
    """`NAME=VALUE` or `TEMPLATE:NAME=VALUE`. Raises ValueError for anything else."""
    left, equals, value = text.partition("=")
    target, _, name = left.rpartition(":")
    if not equals or not name.strip():
        raise ValueError(f"{text!r} is not NAME=VALUE or TEMPLATE:NAME=VALUE")
    return Given(target.strip() or EVERYWHERE, name.strip(), value)


def from_file(path: Path, target: str = EVERYWHERE) -> list[Given]:
    """Every parameter of a file. InputError for a file of another kind."""
    document = read(path).checked()
    pairs = _pairs(document.value)
    if pairs is None:
        finding = Finding(
            "unreadable",
            Severity.ERROR,
            "this is not a file of parameters",
            Location(str(path)),
            remedy="Write `NAME: VALUE` lines, or the AWS CLI's list of ParameterKey and ParameterValue.",
        )
        raise InputError([finding])
    return [Given(target, name, _text(value), wanted=False) for name, value in pairs]


def chosen(values: Iterable[Given], targets: Sequence[str], declared: Iterable[str]) -> dict[str, str]:
    """What holds for a stack that is known by `targets`, least specific first; only what its template declares."""
    names = set(declared)
    found: dict[str, str] = {}
    values = list(values)
    for target in (EVERYWHERE, *targets):
        found.update({item.name: item.value for item in values if item.target == target and item.name in names})
    return found


def _pairs(value: Any) -> list[tuple[str, Any]] | None:
    if isinstance(value, list):
        if not all(isinstance(item, Mapping) and "ParameterKey" in item for item in value):
            return None
        return [(str(item["ParameterKey"]), item["ParameterValue"]) for item in value if "ParameterValue" in item]
    if not isinstance(value, Mapping):
        return None
    inner = value.get("Parameters", value)
    if isinstance(inner, list):
        return _pairs(inner)
    return [(str(key), item) for key, item in inner.items()] if isinstance(inner, Mapping) else None


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(_text(item) for item in value)
    text = scalar_text(value)
    return "" if isinstance(text, Unknown) else text
