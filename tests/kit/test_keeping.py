"""The kit's password outlives a boot, and is nobody else's to read."""

from __future__ import annotations

from pathlib import Path

import pytest

from bicoastal.kit.aws_cli import Credential
from bicoastal.kit.keeping import Keeper

KEPT = Credential("kit", "a password of sixteen")


def test_what_is_kept_is_there_after_a_boot(tmp_path: Path) -> None:
    Keeper(tmp_path).write(KEPT)
    assert Keeper(tmp_path).read() == KEPT
    (file,) = tmp_path.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["", "[]", '{"username": "kit"}', "null"])
def test_what_cannot_be_read_is_asked_for(tmp_path: Path, text: str) -> None:
    assert Keeper(tmp_path).read() is None
    (tmp_path / "credential.json").write_text(text)
    assert Keeper(tmp_path).read() is None


def test_without_a_folder_nothing_is_kept(tmp_path: Path) -> None:
    Keeper(tmp_path / "gone").write(KEPT)
    assert list(tmp_path.iterdir()) == []
