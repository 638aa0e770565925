"""What `init` writes: a complete first `bicoastal.yaml`, the schema beside it for editors, and the sample application.

The schema lies beside the spec and not on a server: the language server behind most editors resolves `$schema=`
relative to the file, offline too, and whoever clones the repository has it. A refusal or a failure leaves the folder as
it was.
"""

from __future__ import annotations

import os
import shutil
from errno import ENOENT
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

import bicoastal
from bicoastal.core.errors import Refused, SystemFault
from bicoastal.spec.schema import SHIPPED as SCHEMA

SPEC_FILE: Final = "bicoastal.yaml"
SCHEMA_FILE: Final = SCHEMA.name
APP_FOLDER: Final = "app"
NAMES: Final = (SPEC_FILE, SCHEMA_FILE, APP_FOLDER)
SAMPLE: Final = Path(bicoastal.__file__).parent / "sample" / "app"
"""The sample application as it is shipped; `examples/orders/app` holds the same files (a test compares them)."""

STARTER: Final = f"""\
# yaml-language-server: $schema={SCHEMA_FILE}
# What is not here has a default: docs/spec.md lists every field. Next: bicoastal synth
name: orders                    # begins the name of everything that is created
environment: production
cost_center: "4711"             # a tag on every resource, as are name and environment
domain: orders.example.com      # a hosted zone of this name is created; or {{name: ..., zone_id: Z...}}

app:                            # the folder's content runs on Amazon Linux 2023 and listens on $HOST:$PORT
  folder: {APP_FOLDER}
  build: sh build.sh            # brings the dependencies into the bundle: instances install nothing from the internet
  command: python3.11 -m orders
  release_command: python3.11 -m orders.migrate   # once for each version, as the database's owner
  packages: [python3.11]
  health_path: /healthz         # 200 while the server can serve, whatever the database does

instances: {{type: t3.micro, min: 2, max: 6}}   # in each of us-east-1 (home) and us-west-2 (standby)
routing: nearest                # users go to the nearer region; `failover`: to the home region until it is lost
alerts: []                      # addresses that alarms are sent to, such as [oncall@example.com]
"""


def write_starter(folder: Path, sample: Path = SAMPLE) -> list[Path]:
    """Write everything into a folder, which is created if need be; returns what was written, the spec first.

    Refused when something is in the way; SystemFault when the disk says no. Either leaves nothing behind.
    """
    try:
        if folder.exists() and not folder.is_dir():
            raise Refused(f"{folder} is a file, not a folder.\n    -> Name a folder; it is created if it is not there.")
        taken = [str(folder / name) for name in NAMES if os.path.lexists(folder / name)]
        if taken:
            verb = "are" if len(taken) > 1 else "is"
            remedy = f"Move {'them' if len(taken) > 1 else 'it'} away, or name another folder."
            raise Refused(f"Nothing was written: {', '.join(taken)} {verb} in the way.\n    -> {remedy}")
        return _write(folder, sample)
    except OSError as error:
        reason = error.strerror or str(error)
        raise SystemFault(f"Cannot write to {folder}: {reason}.\n    -> Check its permissions and the disk.") from None


def _write(folder: Path, sample: Path) -> list[Path]:
    """Everything is made in a folder beside its place first, and then moved: a move on one disk is all or nothing."""
    created = _missing(folder)
    moved: list[Path] = []
    draft: Path | None = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        draft = Path(mkdtemp(prefix=".bicoastal-init-", dir=folder))
        (draft / SPEC_FILE).write_text(STARTER, encoding="utf-8")
        shutil.copyfile(SCHEMA, draft / SCHEMA_FILE)
        for source in _files(sample):
            _copy(source, draft / APP_FOLDER / source.relative_to(sample))
        for name in NAMES:
            place = folder / name
            if os.path.lexists(place):
                raise Refused(f"Nothing was written: {place} has just appeared.\n    -> Name another folder.")
            (draft / name).rename(place)
            moved.append(place)
    except BaseException:
        for place in moved:
            shutil.rmtree(place) if place.is_dir() else place.unlink()
        _remove(draft)
        for parent in created:
            if parent.is_dir():
                parent.rmdir()
        raise
    _remove(draft)
    return [folder / SPEC_FILE, folder / SCHEMA_FILE, *_files(folder / APP_FOLDER)]


def _missing(folder: Path) -> list[Path]:
    """The folders that have to be created, the innermost first."""
    return [place for place in (folder, *folder.parents) if not place.exists()]


def _remove(draft: Path | None) -> None:
    if draft is not None:
        shutil.rmtree(draft, ignore_errors=True)


def _copy(source: Path, target: Path) -> None:
    """With its execute bit but not its other rights: an installed package may be read-only, the user's copy is not."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    if os.access(source, os.X_OK):
        target.chmod(0o755)


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise FileNotFoundError(ENOENT, f"the sample application is not in this installation ({folder})")
    return [place for place in sorted(folder.rglob("*")) if place.is_file() and "__pycache__" not in place.parts]
