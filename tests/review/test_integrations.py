"""The GitHub Action and the pre-commit hook: what their files say is what runs, and its exit code is the answer."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = str(Path(sys.executable).parent)
WRONG = """\
Resources:
  Group:
    Type: AWS::EC2::SecurityGroup
    Properties: {GroupDescription: A test, VpcId: !Ref Nowhere}
"""
SOUND = """\
Resources:
  Topic: {Type: AWS::SNS::Topic}
"""


def ran(command: str, folder: Path, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """A `run:` line, as the runner starts it with `shell: bash`."""
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", command],
        cwd=folder,
        env={"PATH": f"{PROGRAMS}:{os.environ['PATH']}", "HOME": str(folder), **environment},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def steps(inputs: Mapping[str, str], action: Path = ROOT) -> list[tuple[str, dict[str, str]]]:
    """The commands of the action with their variables, its expressions filled in."""
    body: Any = yaml.safe_load((ROOT / "action.yml").read_text())
    values = {name: str(one.get("default", "")) for name, one in body["inputs"].items()} | dict(inputs)
    assert set(inputs) <= set(body["inputs"])
    known = {f"${{{{ inputs.{name} }}}}": value for name, value in values.items()}
    known["${{ github.action_path }}"] = str(action)
    found = []
    for step in body["runs"]["steps"]:
        if "run" not in step:
            continue
        assert "${{" not in step["run"], "an expression in a command is filled in before bash reads it"
        variables = {name: known[value] for name, value in step["env"].items()}
        found.append((step["run"], variables))
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "wrong.yaml").write_text(WRONG)
    (tmp_path / "sound.yaml").write_text(SOUND)
    return tmp_path


@pytest.mark.parametrize(
    ("inputs", "code", "said"),
    [
        ({"paths": "wrong.yaml", "arguments": "--fail-on error --no-schema"}, 1, "::error file=wrong.yaml,line=4,"),
        ({"paths": "sound.yaml", "arguments": "--fail-on error --no-schema"}, 0, "::notice file=sound.yaml,"),
        ({"paths": "sound.yaml wrong.yaml", "format": "text", "arguments": "--no-schema"}, 1, "wrong.yaml:4:"),
        ({"paths": "$(touch run) ;touch run"}, 2, ""),
    ],
    ids=["wrong", "sound", "two", "hostile"],
)
def test_the_action_reviews_and_its_exit_code_is_the_answer(
    folder: Path, inputs: dict[str, str], code: int, said: str
) -> None:
    *_, (command, variables) = steps(inputs)
    done = ran(command, folder, variables)
    assert done.returncode == code, done.stderr
    assert said in done.stdout
    assert not (folder / "run").exists()


def test_the_action_writes_to_a_file(folder: Path) -> None:
    *_, (command, variables) = steps(
        {"paths": "sound.yaml", "format": "sarif", "output": "a report.sarif", "arguments": "--no-schema"}
    )
    assert ran(command, folder, variables).returncode == 1
    assert '"2.1.0"' in (folder / "a report.sarif").read_text()


def test_the_action_installs_what_it_runs(folder: Path) -> None:
    """Without the dependencies, which are here already: no registry is asked."""
    source = folder / "action"
    source.mkdir()
    shutil.copytree(ROOT / "src" / "bicoastal", source / "src" / "bicoastal")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    (command, variables), _ = steps({"paths": "sound.yaml"}, source)
    offline = {"PIP_NO_DEPS": "1", "PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "0", "PIP_TARGET": f"{folder}/site"}
    done = ran(command, folder, {**variables, **offline, "PIP_DISABLE_PIP_VERSION_CHECK": "1"})
    assert done.returncode == 0, done.stderr
    version = ran(f"PYTHONPATH={folder}/site {folder}/site/bin/bicoastal --version", folder, {})
    assert version.returncode == 0, version.stderr


@pytest.mark.parametrize(("file", "code"), [("wrong.yaml", 1), ("sound.yaml", 0)])
def test_the_hook_says_no_to_an_error_and_yes_without(folder: Path, file: str, code: int) -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert hook["pass_filenames"] is False
    done = ran(shlex.join([*shlex.split(hook["entry"]), file]), folder, {})
    assert done.returncode == code, done.stderr
    assert ("reference-leads-nowhere" in done.stdout) is bool(code)
