"""`init` writes a complete start or nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bicoastal.core.errors import Refused, SystemFault
from bicoastal.spec.load import load, loads
from bicoastal.spec.schema import SHIPPED as SCHEMA
from bicoastal.spec.starter import SAMPLE, STARTER, write_starter

EXAMPLE = Path(__file__).parents[2] / "examples" / "orders" / "app"


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    folder = tmp_path / "sample"
    (folder / "static").mkdir(parents=True)
    (folder / "__pycache__").mkdir()
    (folder / "server").write_text("#!/bin/sh\n")
    (folder / "server").chmod(0o555)
    (folder / "static" / "page.html").write_text("page")
    (folder / "__pycache__" / "server.pyc").write_text("")
    return folder


def tree(folder: Path) -> list[str]:
    return sorted(str(place.relative_to(folder)) for place in folder.rglob("*"))


def test_the_starter_is_short_complete_and_names_its_schema() -> None:
    assert 10 <= len(STARTER.splitlines()) <= 20
    assert STARTER.startswith(f"# yaml-language-server: $schema={SCHEMA.name}\n")
    assert loads(STARTER).name == "orders"
    assert all(len(line) <= 120 for line in STARTER.splitlines())


@pytest.mark.parametrize("below", ["", "empty", "not/there/yet"])
def test_it_writes_spec_schema_and_application(tmp_path: Path, sample: Path, below: str) -> None:
    folder = tmp_path / "team" / below
    if below == "empty":
        folder.mkdir(parents=True)
    written = write_starter(folder, sample)
    assert [str(place.relative_to(folder)) for place in written] == [
        "bicoastal.yaml",
        "bicoastal.schema.json",
        "app/server",
        "app/static/page.html",
    ]
    assert tree(folder) == sorted(["app", "app/static", *(str(place.relative_to(folder)) for place in written)])
    assert load(folder / "bicoastal.yaml").app.folder == "app"
    # What the first line names is there, relative to the spec.
    assert (folder / "bicoastal.schema.json").read_bytes() == SCHEMA.read_bytes()
    assert os.access(folder / "app" / "server", os.W_OK | os.X_OK)


@pytest.mark.parametrize("name", ["bicoastal.yaml", "bicoastal.schema.json", "app"])
def test_it_overwrites_nothing(tmp_path: Path, sample: Path, name: str) -> None:
    folder = tmp_path / "team"
    folder.mkdir()
    (folder / name).symlink_to("nowhere")
    with pytest.raises(Refused) as caught:
        write_starter(folder, sample)
    assert str(caught.value) == (
        f"Nothing was written: {folder / name} is in the way.\n    -> Move it away, or name another folder."
    )
    assert tree(folder) == [name]


def test_a_file_is_no_folder(tmp_path: Path, sample: Path) -> None:
    place = tmp_path / "file"
    place.write_text("mine")
    with pytest.raises(Refused, match="is a file, not a folder"):
        write_starter(place, sample)
    with pytest.raises(SystemFault, match="Not a directory"):
        write_starter(place / "below", sample)
    assert place.read_text() == "mine"


def test_a_failure_half_way_leaves_nothing(tmp_path: Path, sample: Path) -> None:
    (sample / "zz-unreadable").symlink_to("zz-unreadable")
    with pytest.raises(SystemFault):
        write_starter(tmp_path / "new" / "team", tmp_path / "no-such-sample")
    assert not (tmp_path / "new").exists()
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "README").write_text("")
    with pytest.raises(SystemFault, match="the sample application is not in this installation"):
        write_starter(kept, tmp_path / "no-such-sample")
    assert tree(kept) == ["README"]


def test_the_shipped_sample_is_the_example() -> None:
    def files(folder: Path) -> dict[str, bytes]:
        places = [place for place in folder.rglob("*") if place.is_file() and "__pycache__" not in place.parts]
        return {str(place.relative_to(folder)): place.read_bytes() for place in places}

    assert files(SAMPLE), "the sample application is missing from the package"
    assert files(SAMPLE) == files(EXAMPLE), "copy src/bicoastal/sample/app to examples/orders/app"
