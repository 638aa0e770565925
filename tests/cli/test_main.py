"""The entry as a shell sees it: real processes, their words and their exit codes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BICOASTAL = Path(sys.executable).with_name("bicoastal")


def run(*words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([BICOASTAL, *words], cwd=cwd, capture_output=True, text=True, check=False, timeout=60)


def test_help_lists_every_command_with_what_it_does() -> None:
    shown = run("--help")
    assert shown.returncode == 0
    for command in ("init", "synth", "review"):
        assert f"  {command} " in shown.stdout
    assert "Exit codes: 0 done" in shown.stdout


def test_a_mistyped_command_is_usage() -> None:
    result = run("sinth")
    assert result.returncode == 2
    assert "No such command 'sinth'" in result.stderr


@pytest.mark.parametrize("command", ["synth", "review"])
def test_no_spec_is_said_with_the_next_move(command: str, tmp_path: Path) -> None:
    result = run(command, cwd=tmp_path)
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    assert "bicoastal" in result.stderr


def test_synth_refuses_a_broken_spec_and_writes_nothing(tmp_path: Path) -> None:
    (tmp_path / "bicoastal.yaml").write_text("name: orders\ncost_centre: 4711\n")
    result = run("synth", cwd=tmp_path)
    assert result.returncode == 2
    assert "bicoastal.yaml:2:1: error: cost_centre: " in result.stderr
    assert "cost_center" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["bicoastal.yaml"]


def test_a_reader_that_leaves_early_is_no_error(tmp_path: Path) -> None:
    run("init", cwd=tmp_path)
    run("synth", cwd=tmp_path)
    shell = f"'{BICOASTAL}' review deployment | head -1"
    result = subprocess.run(
        ["bash", "-o", "pipefail", "-c", shell], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert "Traceback" not in result.stderr
    assert "Exception" not in result.stderr


def test_synth_says_what_it_built_and_how_to_go_on(tmp_path: Path) -> None:
    assert run("init", cwd=tmp_path).returncode == 0
    result = run("synth", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "us-east-1 (home) and us-west-2 (standby)" in result.stdout
    assert "next: bicoastal review" in result.stdout
    assert (tmp_path / "deployment" / "manifest.json").is_file()


def test_a_full_disk_is_said(tmp_path: Path) -> None:
    run("init", cwd=tmp_path)
    run("synth", cwd=tmp_path)
    result = run("review", "deployment", "-o", "/dev/full", cwd=tmp_path)
    assert result.returncode == 3
    assert "could not be written: No space left on device.\n    -> Make room" in result.stderr


@pytest.mark.parametrize("words", [("up",), ("drill", "region-loss")])
def test_without_the_twins_packages_it_says_how_to_get_them(words: tuple[str, ...], tmp_path: Path) -> None:
    absent = "import sys; sys.modules['cryptography'] = None; from bicoastal.cli.main import main; main()"
    result = subprocess.run(
        [sys.executable, "-c", absent, *words], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60,
        env={"BICOASTAL_HOME": str(tmp_path / "home")},
    )  # fmt: skip
    assert result.returncode == 3
    assert result.stderr.endswith("-> pip install 'bicoastal[twin]'\n")
    assert "Traceback" not in result.stderr
