"""Reads a deployment from disk: a folder that `synth` wrote, a CDK assembly, or templates with a region each.

Files are read once; deployments are made of them as often as somebody asks "what if". One bad file hides no other:
what cannot be read, and what is no template, is said in the deployment's findings.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bicoastal.cfn.deployment import Change, Deployment, Placed
from bicoastal.cfn.nested import Library, put_inside
from bicoastal.cfn.parameters import Given, chosen
from bicoastal.cfn.reader import Template, read_template
from bicoastal.core.documents import MAX_BYTES
from bicoastal.core.errors import InputError
from bicoastal.core.findings import Finding, Location, Severity

if TYPE_CHECKING:
    from bicoastal.cfn.manifest import Manifest

MANIFEST = "manifest.json"
SKIPPED = "not-a-template"
"""The rule id of what was passed over while a folder was read."""
_SUFFIXES = (".yaml", ".yml", ".json", ".template")
_OTHERS = frozenset({"node_modules", "__pycache__", "venv", "site-packages"})
"""Folders of other people's files; those whose names begin with a dot are passed over, too."""


@dataclass
class Reading:
    """What was read, before anybody asks what if."""

    findings: list[Finding] = field(default_factory=list)
    manifest: Manifest | None = None
    templates: dict[str, Template] = field(default_factory=dict)
    placed: list[Placed] = field(default_factory=list)
    tags: Mapping[str, str] = field(default_factory=dict)
    given: Sequence[Given] = ()
    named: frozenset[Path] = frozenset()
    """Files that somebody named, one by one."""
    _library: Library = field(default_factory=Library)

    def deployment(self, change: Change | None = None) -> Deployment:
        """The deployment, changed as `change` says."""
        made = self._made(change)
        used = self._library.used
        alone = [one for one in self.placed if Path(one.template.file).resolve() not in used]
        if self.placed and alone and len(alone) < len(self.placed):
            # Some are parts of others: a nested stack's template stands in its parent, not beside it.
            self.placed = alone
            made = self._made(change)
        made.findings[:0] = self.findings
        return made

    def _made(self, change: Change | None) -> Deployment:
        if self.manifest is None:
            made = Deployment.of_placed(self.placed, change)
            made.tags = dict(self.tags)
        else:
            change = change or Change()
            asked = {
                (entry.id, name): value
                for entry in self.manifest.stacks
                for name, value in self._values(
                    self.templates.get(entry.template), (entry.template, entry.id.partition("/")[0], entry.id)
                ).items()
            }
            made = Deployment.of(
                self.manifest, self.templates, replace(change, parameters={**asked, **change.parameters})
            )
        put_inside(made, self._library)
        return made

    def _values(self, template: Template | None, targets: Sequence[str]) -> dict[str, str]:
        return chosen(self.given, targets, template.section("Parameters")) if template and self.given else {}

    def place(
        self, template: Template, region: str, name: str = "", parameters: Mapping[str, str] | None = None
    ) -> None:
        """A template stands in a region."""
        file = Path(template.file)
        targets = [
            form + where for where in ("", f"@{region}") for form in (file.stem, file.name, str(file), name) if form
        ]
        values = {**(parameters or {}), **self._values(template, targets)}
        self.placed.append(Placed(template, region, name, values))


def read_deployment(
    paths: Sequence[Path],
    regions: Mapping[str, str] | None = None,
    *,
    change: Change | None = None,
    given: Sequence[Given] = (),
) -> Deployment:
    """Read a folder that `synth` or the CDK wrote, or templates with a region each (`regions`: file name to region).

    InputError where nothing can be reviewed; single files that are no templates are said in `findings`.
    """
    return read_all(paths, regions, given=given).deployment(change)


def read_all(
    paths: Sequence[Path], regions: Mapping[str, str] | None = None, *, given: Sequence[Given] = ()
) -> Reading:
    """The same, for who asks more than one thing of what was read."""
    reading = Reading(given=given)
    manifests = [path for path in (_manifest_at(path) for path in paths) if path is not None]
    if manifests:
        if len(paths) > 1:
            raise _no(str(paths[1]), "a deployment is reviewed alone", "Name one folder with a manifest.json.")
        _read_manifest(reading, manifests[0], regions or {})
    else:
        _read_files(reading, paths, regions or {})
    _all_taken(reading)
    return reading


def _read_manifest(reading: Reading, path: Path, regions: Mapping[str, str]) -> None:
    try:
        text = path.read_text(encoding="utf-8-sig")
        data: Any = json.loads(text)
        from bicoastal.cfn.assembly import is_assembly  # noqa: PLC0415 - a folder of somebody's templates has none

        if is_assembly(data):
            return _read_assembly(reading, path.parent, data, regions)
        from bicoastal.cfn.manifest import Manifest  # noqa: PLC0415

        manifest = Manifest.from_json(text)
    except (KeyError, TypeError, ValueError, AttributeError, OSError, RecursionError) as error:
        raise _no(
            str(path), f"this is not a manifest of a deployment: {error}", "Run `bicoastal synth` again."
        ) from error
    reading.manifest = manifest
    for name in dict.fromkeys(entry.template for entry in manifest.stacks):
        template = _template(reading, path.parent / name, name, "Run `bicoastal synth` again.")
        if template is not None:
            reading.templates[name] = template
    return None


def _read_assembly(reading: Reading, folder: Path, data: Mapping[str, Any], regions: Mapping[str, str]) -> None:
    tags: list[Mapping[str, str]] = []
    from bicoastal.cfn.assembly import stacks_of  # noqa: PLC0415

    for stack in stacks_of(folder, data):
        template = _template(reading, stack.file, str(stack.file), "Run `cdk synth` again.")
        if template is not None:
            keys = (stack.name, str(stack.file), stack.file.name, "*")
            asked = next((regions[key] for key in keys if key in regions), "")
            for region in (asked or stack.region or "us-east-1").split(","):
                reading.place(template, region, stack.name, stack.parameters)
            tags.append(stack.tags)
    if not reading.placed:
        raise (
            InputError(reading.findings)
            if reading.findings
            else _no(str(folder), "this assembly has no stack", "Run `cdk synth` again.")
        )
    # Tags that all stacks bear; what only some bear stands in their templates, where the CDK writes it as well.
    reading.tags = {key: value for key, value in tags[0].items() if all(one.get(key) == value for one in tags)}


def _read_files(reading: Reading, paths: Sequence[Path], regions: Mapping[str, str]) -> None:
    seen: set[Path] = set()
    for path in paths:
        for file in _template_files(path):
            if (real := file.resolve()) in seen:
                continue
            seen.add(real)
            if path.is_dir() and (why := _other(file)):
                reading.findings.append(_skipped(file, why))
                continue
            template = _template(reading, file, str(file), "", walked=path.is_dir())
            if template is None:
                continue
            named = [regions[key] for key in (str(file), file.name, file.stem) if key in regions]
            for region in dict.fromkeys((named[0] if named else regions.get("*", "us-east-1")).split(",")):
                reading.place(template, region.strip())
    if not reading.placed:
        if reading.findings:
            raise InputError(reading.findings)
        raise _no(
            str(paths[0]), "there is no template here", "Name a template, or the folder that `bicoastal synth` wrote."
        )


def _template(reading: Reading, file: Path, name: str, remedy: str, *, walked: bool = False) -> Template | None:
    try:
        template = read_template(file, name)
    except InputError as error:
        reading.findings.extend(error.findings)
        return None
    if template.not_a_template:
        broken = bool(template.findings)
        if walked and not broken:
            reading.findings.append(_skipped(file, template.not_a_template))
        else:
            reading.findings.extend(template.findings)
            title = f"skipped, this is not a template: {template.not_a_template}"
            reading.findings.append(_finding(name, title, remedy))
        return None
    reading.findings.extend(template.findings)
    return template


def _other(file: Path) -> str:
    """Why a file of a folder is somebody else's, as far as that shows without parsing it; else empty."""
    try:
        if file.stat().st_size > MAX_BYTES:
            return "it is too large for a template"
        data = file.read_bytes()
    except OSError:
        return ""  # reading it says why it cannot be read
    if b"Resources" not in data and not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "it has no section Resources"
    if b"AWS::" not in data and b"::" not in data and not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "nothing in it is of a type of CloudFormation's"
    return ""


def _all_taken(reading: Reading) -> None:
    """A parameter that somebody gave by name and no template declares is a slip of the pen."""
    templates = [*reading.templates.values(), *(one.template for one in reading.placed)]
    declared = {name for template in templates for name in template.section("Parameters")}
    for item in reading.given:
        if item.wanted and item.name not in declared:
            known = ", ".join(sorted(declared)[:8]) or "none"
            raise _no("--parameter", f"no template has a parameter {item.name}", f"There are: {known}.")


def _manifest_at(path: Path) -> Path | None:
    if not path.is_dir():
        return path if path.name == MANIFEST and path.is_file() else None
    for place in (path / MANIFEST, path / "cdk.out" / MANIFEST):
        if place.is_file() and (place.parent != path or _is_manifest(place)):
            return place
    return None


def _is_manifest(path: Path) -> bool:
    """Browsers' extensions and others have a manifest.json as well: theirs have neither stacks nor artifacts."""
    try:
        data = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return True  # said as what it is where it is read
    if not isinstance(data, dict) or not data:
        return True
    return "stacks" in data or "artifacts" in data or isinstance(data.get("version"), int)


def _template_files(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    for folder, folders, files in os.walk(path):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in _OTHERS)
        for name in sorted(files):
            file = Path(folder, name)
            if file.suffix in _SUFFIXES and file.is_file():
                yield file


def _skipped(file: Path, why: str) -> Finding:
    return Finding(SKIPPED, Severity.INFO, f"skipped, this is not a template: {why}", Location(str(file)))


def _finding(file: str, title: str, remedy: str) -> Finding:
    return Finding("unreadable", Severity.ERROR, title, Location(file), remedy=remedy)


def _no(file: str, title: str, remedy: str) -> InputError:
    return InputError([_finding(file, title, remedy)])
