"""Puts a deployment into a folder: whole or not at all, the same bytes for the same spec."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from bicoastal.blueprint.stacks import Deployment
from bicoastal.cfn.manifest import Chosen, Literal, Live, Manifest, Source, StackEntry
from bicoastal.core.errors import Refused, SystemFault

MANIFEST = "manifest.json"


def render(deployment: Deployment) -> dict[str, str]:
    """Every file of the deployment by its path in the folder, sorted as it is written."""
    manifest = deployment.manifest
    files = {MANIFEST: manifest.to_json()}
    for stack in deployment.stacks:
        files[f"templates/{stack.kind}.yaml"] = stack.to_yaml()
    for entry in manifest.stacks:
        kind = entry.id.partition("/")[0]
        files[f"parameters/{entry.region}/{kind}.json"] = _parameter_file(manifest, entry)
    for name, text in deployment.documents.items():
        files[f"policies/{name}"] = text
    return files


def write_deployment(deployment: Deployment, folder: Path) -> list[Path]:
    """Replace what an earlier synth wrote in `folder` by this deployment; returns the files written.

    Everything is written beside the folder first and moved in one step. Raises Refused for a folder that holds anything
    else, and SystemFault when the disk does not take it.
    """
    _refuse_foreign(folder)
    files = render(deployment)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        try:
            for name, text in files.items():
                path = fresh / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(text.encode())
            fresh.chmod(0o755)
            _swap(fresh, folder)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    except OSError as error:
        raise SystemFault(
            f"{folder}: cannot be written: {error.strerror}. Nothing was changed; free it and run again."
        ) from error
    return [folder / name for name in files]


def _refuse_foreign(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise Refused(f"{folder} is a file; name a folder with --output.")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / MANIFEST).is_file():
        raise Refused(
            f"{folder}/ is not empty and was not written by synth (it has no {MANIFEST}). "
            "Name another folder with --output."
        )


def _swap(fresh: Path, folder: Path) -> None:
    """Put `fresh` in the place of `folder`; the old one goes only when the new one stands."""
    if not folder.exists():
        fresh.rename(folder)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{folder.name}-old-", dir=folder.parent))
    folder.rename(old / "was")
    try:
        fresh.rename(folder)
    except OSError:
        (old / "was").rename(folder)
        raise
    finally:
        shutil.rmtree(old, ignore_errors=True)
    os.utime(folder)


def _parameter_file(manifest: Manifest, entry: StackEntry) -> str:
    """Parameters and tags as `aws cloudformation deploy --parameter-overrides file://` and CodePipeline read them.

    Parameters that come from another stack's outputs are not in it: the manifest says which.
    """
    known: dict[str, str] = {}
    for name, source in entry.parameters.items():
        value = _known(source)
        if value is not None:
            known[name] = value
    data: Mapping[str, object] = {"Parameters": known, "Tags": dict(manifest.tags)}
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def _known(source: Source) -> str | None:
    match source:
        case Literal(value) | Live(Literal(value)) | Chosen(_, value):
            return value
        case _:
            return None
