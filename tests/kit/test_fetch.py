"""Fetching: whole or not at all, and nothing that leaves the folder."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from bicoastal.blueprint.bundle import application_bundle, version_of
from tests.kit.conftest import Launch
from tests.support.instance import Instance
from tests.support.postgres import Laboratory, Postgres


@pytest.fixture
def instance(laboratory: Laboratory, launch: Launch) -> Instance:
    """An instance whose database is never asked."""
    made = launch(Postgres(laboratory, "nobody"))
    made.aws.put("artifacts-us-east-1", "ca/rds.pem", b"certificates")
    made.config.certificates.unlink()
    return made


def ship(instance: Instance, bundle: bytes, version: str = "") -> None:
    version = version or version_of(bundle)
    instance.aws.put("artifacts-us-east-1", f"applications/{version}.tar.gz", bundle)
    instance.change(application={"version": version})


def test_it_brings_application_and_certificates_once(instance: Instance, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "serve.sh").write_text("#!/bin/sh\n")
    (source / "serve.sh").chmod(0o755)
    ship(instance, application_bundle(source))

    instance.answer("fetch")
    calls = len(instance.aws.calls)
    instance.answer("fetch")

    assert len(instance.aws.calls) == calls, "what is there is left alone"
    assert (instance.config.app_folder / "serve.sh").stat().st_mode & 0o111
    assert instance.config.certificates.read_bytes() == b"certificates"

    (source / "second").write_text("x")
    (source / "serve.sh").unlink()
    ship(instance, application_bundle(source))
    instance.answer("fetch")
    assert sorted(path.name for path in instance.config.app_folder.iterdir()) == [".bicoastal-version", "second"]


def test_another_content_is_refused_and_the_old_one_stays(instance: Instance, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "first").touch()
    ship(instance, application_bundle(source))
    instance.answer("fetch")

    ship(instance, application_bundle(source), "0" * 16)
    done = instance.kit("fetch")
    assert done.returncode == 2
    assert "has the content" in done.stderr
    ship(instance, b"not an archive", "1" * 16)
    assert "cannot be unpacked" in instance.kit("fetch").stderr
    assert (instance.config.app_folder / "first").exists()
    assert sorted(path.name for path in instance.config.root.iterdir()) == ["app", "ca"]


def _link(name: str, target: str) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = tarfile.SYMTYPE, target
    return made


def _device(name: str) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type = tarfile.CHRTYPE
    return made


@pytest.mark.parametrize(
    "members",
    [
        [tarfile.TarInfo("../outside")],
        [tarfile.TarInfo("/outside")],
        [tarfile.TarInfo("a/../../outside")],
        [_link("link", "../../outside")],
        [_link("link", "/etc/passwd")],
        [
            _link("a/here", "."),
            _link("a/here/here", "."),
            _link("a/here/here/out", "../../.."),
            tarfile.TarInfo("a/out/x"),
        ],
        [_link("folder", "other"), tarfile.TarInfo("folder/x")],
        [_device("null")],
    ],
    ids=lambda members: members[-1].name,
)
def test_an_archive_that_leaves_its_folder_is_refused(instance: Instance, members: list[tarfile.TarInfo]) -> None:
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        for member in members:
            archive.addfile(member)
    data = gzip.compress(plain.getvalue())
    ship(instance, data, hashlib.sha256(plain.getvalue()).hexdigest()[:16])
    done = instance.kit("fetch")
    assert (done.returncode, "cannot be unpacked" in done.stderr) == (2, True)
    assert not (instance.config.root / "outside").exists()


def test_what_is_not_in_the_bucket(instance: Instance) -> None:
    instance.change(application={"version": "2" * 16})
    done = instance.kit("fetch")
    assert done.returncode == 3
    assert done.stderr.startswith("aws s3 cp: ")
