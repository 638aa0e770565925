"""Finds the templates inside templates, where they are files beside it: nested stacks, and modules.

    AWS::CloudFormation::Stack     `TemplateURL` is a path, as `aws cloudformation package` takes it, or ends like one;
                                   the CDK writes the path into `Metadata`
    Any::Thing::You::Like::MODULE  a module of the registry, whose folder (with its `.rpdk-config`) lies near
    Modules                        the section of that name, each with a `Source`

Nothing is fetched: a template that is not here is said to be missing, and what it holds is unknown.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from bicoastal.cfn.deployment import Deployment, Stack
from bicoastal.cfn.reader import Template, read_template
from bicoastal.cfn.values import Value
from bicoastal.core.errors import InputError
from bicoastal.core.findings import Finding, Severity

RULE = "template-not-here"
_STACKS = {"AWS::CloudFormation::Stack": "TemplateURL", "AWS::Serverless::Application": "Location"}
_MODULE = "::MODULE"
_MAX_STACKS = 500
_MAX_DEPTH = 10
_FOLDERS_UP = 2
"""How far above a template its neighbours are looked for."""


@dataclass(frozen=True)
class _Inside:
    """A template that a stack's template asks for."""

    logical_id: str
    path: tuple[str, ...]
    wanted: str
    """Path, address or type, for people."""
    files: tuple[Path, ...]
    """Where it may be, best first."""
    inputs: Mapping[str, Any]
    module: bool


class Library:
    """Templates by their files, each read once."""

    def __init__(self) -> None:
        self._read: dict[Path, Template | None] = {}
        self.used: set[Path] = set()
        """Files that stand inside others: they are no stacks of their own."""

    def first(self, files: tuple[Path, ...]) -> Template | None:
        """The first of the files that is a template."""
        for file in files:
            real = file.resolve()
            if real not in self._read:
                self._read[real] = self._template(file)
            if (found := self._read[real]) is not None:
                self.used.add(real)
                return found
        return None

    def _template(self, file: Path) -> Template | None:
        if not file.is_file():
            return None
        try:
            found = read_template(file)
        except InputError:
            return None
        return None if found.not_a_template else found


def put_inside(deployment: Deployment, library: Library) -> None:
    """Add the nested stacks and modules of every stack, and theirs; say of which the template is not here."""
    waiting = [(stack, 0) for stack in deployment.stacks.values()]
    while waiting:
        outer, depth = waiting.pop(0)
        for inside in _insides(outer):
            template = library.first(inside.files)
            if template is None or depth >= _MAX_DEPTH or len(deployment.stacks) >= _MAX_STACKS:
                deployment.findings.append(_missing(outer, inside, too_deep=template is not None))
                continue
            values = {name: _fed(outer, value) for name, value in inside.inputs.items()}
            inner = deployment.add_inner(outer, inside.logical_id, template, values, module=inside.module)
            deployment.findings.extend(item for item in template.findings if item not in deployment.findings)
            waiting.append((inner, depth + 1))


def _fed(outer: Stack, value: Any) -> Callable[[], Value]:
    def feed() -> Value:
        found = outer.evaluator.value(value)
        # A list given to a nested stack's parameter arrives as text; the parameter's type cuts it again.
        return ",".join(found) if isinstance(found, list) and all(isinstance(item, str) for item in found) else found

    return feed


def _insides(outer: Stack) -> Iterator[_Inside]:
    folder = Path(outer.template.file).parent
    for name, body in outer.evaluator.resources.items():
        if not isinstance(body, Mapping) or name in outer.evaluator.absent:
            continue
        kind, properties = body.get("Type"), body.get("Properties")
        properties = properties if isinstance(properties, Mapping) else {}
        if not isinstance(kind, str) or not (kind in _STACKS or kind.endswith(_MODULE)):
            continue
        if "Condition" in body and outer.evaluator.condition(body["Condition"]) is False:
            continue
        if kind in _STACKS:
            wanted, files = _of_stack(outer, body, properties.get(_STACKS[kind]), folder)
            inputs = properties.get("Parameters")
            yield _Inside(
                name, ("Resources", name), wanted, files, inputs if isinstance(inputs, Mapping) else {}, False
            )
        else:
            yield _Inside(name, ("Resources", name), kind, tuple(_fragments(kind, folder)), properties, True)
    for name, body in outer.template.section("Modules").items():
        if isinstance(body, Mapping) and isinstance(body.get("Source"), str):
            inputs = body.get("Inputs", body.get("Properties"))
            files = (folder / body["Source"],)
            yield _Inside(
                name, ("Modules", name), body["Source"], files, inputs if isinstance(inputs, Mapping) else {}, True
            )


def _of_stack(outer: Stack, body: Mapping[str, Any], where: Any, folder: Path) -> tuple[str, tuple[Path, ...]]:
    metadata = body.get("Metadata")
    asset = metadata.get("aws:asset:path") if isinstance(metadata, Mapping) else None
    address = str(outer.evaluator.value(where))
    files = [folder / asset] if isinstance(asset, str) else []
    if "://" not in address:
        files.append(folder / address.removeprefix("file:"))
    # An address in a bucket: the end of it that is a path of a file near by.
    steps = [step for step in PurePosixPath(re.sub(r"\?[^/]*$", "", address)).parts if "$" not in step and step != ".."]
    near = [folder, *list(folder.resolve().parents)[:_FOLDERS_UP]]
    for length in range(min(len(steps), 4), 0, -1):
        files.extend(place.joinpath(*steps[-length:]) for place in near)
    own = Path(outer.template.file).resolve()
    return asset or address, tuple(file for file in files if file.suffix and file.resolve() != own)


def _fragments(kind: str, folder: Path) -> Iterator[Path]:
    near = [folder, *list(folder.resolve().parents)[:_FOLDERS_UP]]
    for place in near:
        for config in (place / ".rpdk-config", *sorted(place.glob("*/.rpdk-config"))):
            if _type_of(config) in (kind, kind.removesuffix(_MODULE)):
                yield from sorted(item for item in (config.parent / "fragments").glob("*") if item.is_file())


def _type_of(config: Path) -> str:
    try:
        data = json.loads(config.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    return str(data.get("typeName") or "") if isinstance(data, dict) else ""


def _missing(outer: Stack, inside: _Inside, *, too_deep: bool) -> Finding:
    what = "module" if inside.module else "nested stack"
    title = f"The template of {what} {inside.logical_id} is not here: {inside.wanted}"
    if too_deep:
        title = f"The {what} {inside.logical_id} is not looked into: stacks are nested too deeply, or too many"
    return Finding(
        RULE,
        Severity.INFO,
        title,
        outer.template.location(inside.path),
        "What it holds cannot be told.",
        "Put its file where the address or the Source says, relative to this one.",
        template=outer.template.file,
        region=outer.region,
        resource=inside.logical_id,
    )
