"""The two archives: the same content, the same bytes; and what is not shipped."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from bicoastal.blueprint import bundle as bundles
from bicoastal.blueprint.bundle import application_bundle, kit_bundle, kit_version, version_of
from bicoastal.core.errors import Refused


def members(bundle: bytes) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(bundle)) as archive:
        return {member.name: member for member in archive}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small application."""
    made = tmp_path / "app"
    (made / "sub").mkdir(parents=True)
    (made / "serve.py").write_text("print('x')\n")
    (made / "run.sh").write_text("#!/bin/sh\n")
    (made / "run.sh").chmod(0o755)
    (made / "sub" / "data").write_bytes(b"\0\1")
    (made / "link").symlink_to("sub/data")
    for left_out in (".git", "__pycache__", ".venv"):
        (made / left_out).mkdir()
        (made / left_out / "file").touch()
    return made


def test_the_kit_is_the_same_every_time_and_runs_alone(tmp_path: Path) -> None:
    bundle = kit_bundle()
    assert bundle == kit_bundle()
    assert version_of(bundle) == kit_version()
    assert len(kit_version()) == 16
    with tarfile.open(fileobj=io.BytesIO(bundle)) as archive:
        archive.extractall(tmp_path, filter="data")

    code = "import sys, bicoastal.kit.daemon, bicoastal.kit.bootstrap as b; print(b.__file__, 'boto3' in sys.modules)"
    done = subprocess.run(
        # Without site-packages: nothing but the archive and the standard library is there.
        [sys.executable, "-S", "-c", code],
        env={"PYTHONPATH": str(tmp_path)},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.stdout.split() == [str(tmp_path / "bicoastal" / "kit" / "bootstrap.py"), "False"], done.stderr
    names = members(bundle)
    assert {"bicoastal/kit/schema.sql", "bicoastal/kit/grants.sql", "pg8000/core.py", "six.py"} <= set(names)
    assert not [name for name in names if name.endswith(".pyc") or "/tests/" in name]
    assert sum("LICENSE" in name for name in names) == 6, "each package travels with its license"


def test_the_application_as_it_is_shipped(folder: Path) -> None:
    found = members(application_bundle(folder))
    assert list(found) == ["link", "run.sh", "serve.py", "sub/data"]
    assert (found["run.sh"].mode, found["serve.py"].mode) == (0o755, 0o644)
    assert found["link"].linkname == "sub/data"
    assert {(item.mtime, item.uid, item.gid, item.uname) for item in found.values()} == {(0, 0, 0, "")}


def test_times_rights_and_owners_do_not_change_it(folder: Path) -> None:
    before = application_bundle(folder)
    os.utime(folder / "serve.py", (1, 1))
    (folder / "serve.py").chmod(0o600)
    (folder / ".git" / "more").touch()
    assert application_bundle(folder) == before
    (folder / "serve.py").write_text("print('y')\n")
    assert version_of(application_bundle(folder)) != version_of(before)


def test_a_build_runs_in_a_copy(folder: Path) -> None:
    built = members(application_bundle(folder, "mkdir vendor && cat serve.py > vendor/made"))
    assert "vendor/made" in built
    assert not (folder / "vendor").exists()
    with pytest.raises(Refused, match=r"app.build `echo no; exit 3` ended with exit code 3. It said:\n  no"):
        application_bundle(folder, "echo no; exit 3")


def test_what_cannot_be_shipped(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="is not there: app"):
        application_bundle(tmp_path / "none")
    with pytest.raises(Refused, match="is a file: app"):
        application_bundle(folder / "serve.py")
    (tmp_path / "empty").mkdir()
    with pytest.raises(Refused, match="is empty"):
        application_bundle(tmp_path / "empty")

    for target in ("/etc/passwd", "../../outside"):
        (folder / "out").symlink_to(target)
        with pytest.raises(Refused, match=f"app/out is a link to {target}, out of the folder"):
            application_bundle(folder)
        with pytest.raises(Refused, match="out of the folder"):
            application_bundle(folder, "true")
        (folder / "out").unlink()

    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(folder / "door"))
        with pytest.raises(Refused, match="app/door is neither file, folder nor link"):
            application_bundle(folder)
    (folder / "door").unlink()

    with (folder / "huge").open("wb") as huge:
        huge.truncate(bundles.APPLICATION_LIMIT_BYTES)
    with pytest.raises(Refused, match="holds more than 1 GiB"):
        application_bundle(folder)
