"""The command as a user starts it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

COMMAND = [sys.executable, "-c", "from bicoastal.cli.main import main; main()", "init"]


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=60)


def test_init_then_init_again(tmp_path: Path) -> None:
    first = run(tmp_path)
    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout.splitlines()[-1] == "Next: bicoastal synth"
    assert (tmp_path / "bicoastal.yaml").is_file()
    assert any((tmp_path / "app").iterdir())
    again = run(tmp_path)
    assert again.returncode == 1
    assert again.stderr == (
        "Nothing was written: bicoastal.yaml, bicoastal.schema.json, app are in the way.\n"
        "    -> Move them away, or name another folder.\n"
    )


def test_init_in_a_named_folder_says_how_to_go_on(tmp_path: Path) -> None:
    assert run(tmp_path, "shop/web").stdout.splitlines()[-1] == "Next: bicoastal synth --spec shop/web/bicoastal.yaml"
