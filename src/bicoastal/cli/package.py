"""What `plan`, `deploy` and `destroy` share: the options that say what is deployed, and putting it together."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import click

from bicoastal.aws.calls import CallLog
from bicoastal.aws.session import Session
from bicoastal.blueprint.bundle import kit_bundle, version_of
from bicoastal.blueprint.stacks import compose
from bicoastal.blueprint.write import MANIFEST, render
from bicoastal.cfn.manifest import Manifest
from bicoastal.cli.build_cache import Bundler, bundler_of
from bicoastal.core.errors import InputError, SystemFault
from bicoastal.core.findings import Finding, Location, Severity
from bicoastal.deploy.package import DATABASE_CA_KEY, Artifact, Package
from bicoastal.spec.load import load
from bicoastal.spec.model import Spec

spec_option = click.option(
    "-s",
    "--spec",
    type=click.Path(path_type=Path),
    default=Path("bicoastal.yaml"),
    show_default=True,
    help="The file that describes the application.",
)
folder_argument = click.argument(
    "folder", metavar="[DEPLOYMENT]", required=False, type=click.Path(path_type=Path, exists=True, file_okay=False)
)
allow_option = click.option(
    "--allow-replacement",
    "allowed",
    multiple=True,
    metavar="NAME",
    help="Logical id of a resource that may be replaced or removed, this once. Repeat for more.",
)
new_image_option = click.option(
    "--new-image",
    is_flag=True,
    help="Boot the newest Amazon Linux image from now on; the fleets are replaced in batches.",
)


def package(
    spec_file: Path, folder: Path | None, database_ca: bytes | None = None, bundler: Bundler | None = None
) -> Package:
    """Everything to deploy: composed from the spec, or as it stands in a folder that `synth` wrote.

    The application is bundled from its folder either way. Without `database_ca` nothing can be uploaded: for `plan`.
    """
    spec = load(spec_file)
    bundle = bundler or bundler_of(os.environ)
    artifacts = {
        "kit": _bundle("kits", kit_bundle()),
        "application": _bundle("applications", bundle(spec_file.parent / spec.app.folder, spec.app.build)),
    }
    if database_ca is not None:
        artifacts["database-ca"] = Artifact(DATABASE_CA_KEY, database_ca)
    return _package(spec, folder, artifacts)


def composed(spec_file: Path, folder: Path | None) -> Package:
    """Graph and templates alone: what is needed to take a deployment away, without the application's folder."""
    return _package(load(spec_file), folder, {})


def _package(spec: Spec, folder: Path | None, artifacts: Mapping[str, Artifact]) -> Package:
    files = render(compose(spec)) if folder is None else _files(folder)
    return Package(_manifest(files, folder), files, artifacts, spec.domain.name)


def session(operation: str, name: str) -> Session:
    """Clients whose calls are logged in a file of their own, in the user's folder for state. Raises SystemFault."""
    home = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    folder = home / "bicoastal" / name / "calls"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SystemFault(
            f"{folder}: cannot be created: {error.strerror}.\n"
            "    -> Set XDG_STATE_HOME to a folder that can be written."
        ) from error
    made = Session(CallLog(folder / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{operation}-{os.getpid()}.jsonl"))
    made.sign_in()
    return made


def _bundle(folder: str, content: bytes) -> Artifact:
    version = version_of(content)
    return Artifact(f"{folder}/{version}.tar.gz", content, version)


def _files(folder: Path) -> dict[str, str]:
    try:
        return {
            path.relative_to(folder).as_posix(): path.read_text()
            for path in sorted((folder, *folder.rglob("*")))
            if path.is_file() and path.suffix in (".json", ".yaml")
        }
    except (OSError, UnicodeDecodeError) as error:
        raise _unusable(folder, f"it cannot be read: {error}") from error


def _manifest(files: Mapping[str, str], folder: Path | None) -> Manifest:
    where = folder or Path("deployment")
    try:
        manifest = Manifest.from_json(files[MANIFEST])
    except (KeyError, TypeError, ValueError) as error:
        raise _unusable(where, f"its {MANIFEST} is missing or is not one ({error})") from error
    missing = sorted({entry.template for entry in manifest.stacks} - files.keys())
    if missing:
        raise _unusable(where, f"{', '.join(missing)} of its manifest is not there")
    return manifest


def _unusable(folder: Path, why: str) -> InputError:
    return InputError(
        [
            Finding(
                "deployment",
                Severity.ERROR,
                f"this is no deployment: {why}",
                Location(str(folder)),
                remedy="Write it with `bicoastal synth`, or leave the folder out to deploy what the spec says.",
            )
        ]
    )
