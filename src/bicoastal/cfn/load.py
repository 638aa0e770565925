"""Reads a deployment from disk: a folder that `synth` wrote, or templates with a region each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from bicoastal.cfn.deployment import Change, Deployment
from bicoastal.cfn.manifest import Manifest
from bicoastal.cfn.reader import Template, read_template
from bicoastal.core.errors import InputError
from bicoastal.core.findings import Finding, Location, Severity

MANIFEST = "manifest.json"


def read_deployment(
    paths: Sequence[Path], regions: Mapping[str, str] | None = None, *, change: Change | None = None
) -> Deployment:
    """Read a folder that `synth` wrote, or templates with a region each (`regions`: file name to region).

    InputError where nothing can be reviewed; single files that are no templates are said in `findings`.
    """
    manifests = [path for path in (_manifest_at(path) for path in paths) if path is not None]
    if manifests:
        if len(paths) > 1:
            raise _no(str(paths[1]), "a deployment is reviewed alone", "Name one folder with a manifest.json.")
        return _read_manifest(manifests[0], change)
    files = [file for path in paths for file in _template_files(path)]
    if not files:
        raise _no(
            str(paths[0]), "there is no template here", "Name a template, or the folder that `bicoastal synth` wrote."
        )
    return _read_files(files, regions or {})


def _read_manifest(path: Path, change: Change | None) -> Deployment:
    try:
        manifest = Manifest.from_json(path.read_text(encoding="utf-8"))
    except (KeyError, TypeError, ValueError, AttributeError, OSError) as error:
        raise _no(
            str(path), f"this is not a manifest of a deployment: {error}", "Run `bicoastal synth` again."
        ) from error
    templates: dict[str, Template] = {}
    findings: list[Finding] = []
    for name in dict.fromkeys(entry.template for entry in manifest.stacks):
        try:
            template = read_template(path.parent / name, name)
        except InputError as error:
            findings.extend(error.findings)
            continue
        findings.extend(template.findings)
        if template.not_a_template:
            findings.append(
                _finding(name, f"this is not a template: {template.not_a_template}", "Run `bicoastal synth` again.")
            )
        templates[name] = template
    deployment = Deployment.of(manifest, templates, change)
    deployment.findings.extend(findings)
    return deployment


def _read_files(files: Sequence[Path], regions: Mapping[str, str]) -> Deployment:
    pairs: list[tuple[Template, str]] = []
    findings: list[Finding] = []
    for file in files:
        template = read_template(file)
        findings.extend(template.findings)
        if template.not_a_template:
            findings.append(_finding(str(file), f"skipped, this is not a template: {template.not_a_template}", ""))
            continue
        named = [regions[key] for key in (str(file), file.name) if key in regions]
        for region in named[0].split(",") if named else [regions.get("*", "us-east-1")]:
            pairs.append((template, region))
    if not pairs:
        raise InputError(findings)
    deployment = Deployment.of_files(pairs)
    deployment.findings.extend(findings)
    return deployment


def _manifest_at(path: Path) -> Path | None:
    if path.is_dir():
        return path / MANIFEST if (path / MANIFEST).is_file() else None
    return path if path.name == MANIFEST and path.is_file() else None


def _template_files(path: Path) -> Iterator[Path]:
    if path.is_dir():
        yield from sorted(
            item
            for item in path.rglob("*")
            if item.suffix in (".yaml", ".yml", ".json", ".template") and item.is_file()
        )
    else:
        yield path


def _finding(file: str, title: str, remedy: str) -> Finding:
    return Finding("unreadable", Severity.ERROR, title, Location(file), remedy=remedy)


def _no(file: str, title: str, remedy: str) -> InputError:
    return InputError([_finding(file, title, remedy)])
