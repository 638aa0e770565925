"""The documents tell the truth: commands exist, links lead somewhere, layers are the enforced ones, rows have tests."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from bicoastal.blueprint.stacks import compose
from bicoastal.cli.main import COMMANDS, bicoastal
from tests.support.specs import spec

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")])
README = (ROOT / "README.md").read_text()
TRACKED = subprocess.run(
    ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=30
).stdout.split("\0")[:-1]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_make_verb_that_is_named_exists(page: Path) -> None:
    verbs = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z-]+)`|^\$ make ([a-z-]+)", page.read_text(), re.MULTILINE)) <= {
        (verb, "") for verb in verbs
    } | {("", verb) for verb in verbs}


def test_every_command_of_the_readme_exists_and_every_command_is_in_it() -> None:
    named = set(re.findall(r"^\$ bicoastal ([a-z]+)", README, re.MULTILINE))
    assert named == set(COMMANDS)


def test_every_command_helps() -> None:
    from click.testing import CliRunner  # noqa: PLC0415 - only here

    for name in COMMANDS:
        result = CliRunner().invoke(bicoastal, [name, "--help"])
        assert result.exit_code == 0, result.output
        assert result.output.startswith("Usage: ")


def test_the_architecture_page_draws_the_enforced_layers() -> None:
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]
    layers = [
        " | ".join(part.removeprefix("bicoastal.") for part in layer.split(" | ")) for layer in contract["layers"]
    ]
    picture = (ROOT / "docs" / "architecture.md").read_text().split("```")[1]
    drawn = [re.split(r"\s{2,}", line)[0] for line in picture.splitlines() if re.match(r"[a-z]", line)]
    assert drawn == [*layers, "kit"]


def test_the_architecture_page_lists_every_stack() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    listed = set(re.findall(r"`([a-z-]+)`", "\n".join(line for line in page.splitlines() if line.startswith("| `"))))
    built = {stack.kind for stack in compose(spec(logs={"aggregate": True})).stacks}
    assert built <= listed, f"not on the page: {built - listed}"


def test_every_row_of_the_mission_names_stacks_and_a_test_that_are_there() -> None:
    page = (ROOT / "docs" / "mission.md").read_text()
    rows = {match[1]: match[0] for match in re.finditer(r"^\| (M\d+) \|.*$", page, re.MULTILINE)}
    assert list(rows) == [f"M{number}" for number in range(1, 15)]
    for row, text in rows.items():
        tests = re.findall(r"`(tests/[^`]+)`", text)
        assert tests, f"{row} names no test"
        for test in tests:
            path, _, name = test.partition("::")
            assert (ROOT / path).exists(), f"{row} names {path}"
            assert name in (ROOT / path).read_text(), f"{row} names {test}"


def test_every_wiring_fault_has_a_test_that_deploys_it() -> None:
    page = (ROOT / "docs" / "fidelity.md").read_text()
    rows = re.findall(r"^\| (\d+)\. .*`(tests/twin/wiring/[^`:]+)::test_(\d+)_(\w+)` \|$", page, re.MULTILINE)
    assert [row[0] for row in rows] == [row[2] for row in rows] == [str(number) for number in range(1, 13)]
    for number, path, _, name in rows:
        assert f"def test_{number}_{name}(" in (ROOT / path).read_text(), (
            f"fault {number} names a test that is not there"
        )


def test_the_project_names_no_machine() -> None:
    """An absolute path of the machine that it was written on means nothing on another one."""
    found = []
    for name in TRACKED:
        path = ROOT / name
        if path.suffix in (".lock", ".png") or not path.is_file():
            continue
        text = path.read_text(errors="replace")
        found += [
            f"{name}: {match[0]}"
            for match in re.finditer(r"(?<![A-Za-z0-9_.~$/{}-])/(work|root|home/[a-z]+)/\S*", text)
        ]
    assert found == []
