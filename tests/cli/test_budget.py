"""`bicoastal budget` and `bicoastal diagram` from the outside."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bicoastal.blueprint.stacks import compose
from bicoastal.blueprint.write import write_deployment
from bicoastal.cli import budget, diagram
from tests.support.specs import spec


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the sample's deployment, and no bicoastal.yaml."""
    monkeypatch.chdir(tmp_path)
    write_deployment(compose(spec()), tmp_path / "deployment")
    return tmp_path


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(budget.command, [str(item) for item in arguments], catch_exceptions=False)


def test_the_samples_budget_fits_a_screen_or_two_and_names_what_is_not_proven(folder: Path) -> None:
    demand = folder / "demand.yaml"
    demand.write_text("rto_minutes: 30\nrpo_seconds: 60\n")
    result = run("--demand", demand)
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert lines[0].startswith("A month in us-east-1 and us-west-2: $")
    assert "  M6  VPCs with public and private subnets" in result.output
    assert "Promised: writes within 30 min. Reckoned: 265 s or more by what is known: not proven." in lines
    assert "a few minutes" in result.output
    assert len(lines) < 60
    assert max(map(len, lines)) <= 106


def test_a_promise_that_cannot_be_kept_is_broken(folder: Path) -> None:
    demand = folder / "demand.yaml"
    demand.write_text("rto_minutes: 1\n")
    result = run("--demand", demand)
    assert result.exit_code == 1
    assert "writes within 1 min. Reckoned: 265 s or more by what is known: broken." in result.output


def test_the_json_has_a_source_for_every_figure(folder: Path) -> None:
    data = json.loads(run("--format", "json", folder / "deployment").output)
    assert list(data) == ["cost", "failures", "promises"]
    assert sum(row["most"] for row in data["cost"]["rows"]) == pytest.approx(data["cost"]["monthly"]["most"], abs=0.05)
    for line in data["cost"]["lines"]:
        assert line["source"].startswith("https://aws.amazon.com/")
    for failure in data["failures"]:
        figures = [*failure["phases"], failure["rto"], failure["rpo"]]
        assert all(figure["source"] for figure in figures if figure)


def test_templates_without_anything_that_costs_are_no_error(tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text("Resources:\n  A: {Type: AWS::DynamoDB::Table}\n")
    result = run(tmp_path / "t.yaml")
    assert result.exit_code == 0
    assert "$0.00" in result.output
    assert "1 DynamoDB Table: requests and GB" in result.output


def test_the_drawing_is_well_formed_names_everything_and_asks_for_nothing_from_elsewhere(folder: Path) -> None:
    result = CliRunner().invoke(diagram.command, ["-o", "d.svg"], catch_exceptions=False)
    assert (result.exit_code, result.output) == (0, "")
    text = (folder / "d.svg").read_text()
    root = ET.fromstring(text)
    words = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    for wanted in ("us-east-1 (home)", "us-west-2 (standby)", "PostgreSQL, primary, Multi-AZ", "replication", "Fleet"):
        assert wanted in words
    assert "prefers-color-scheme: dark" in text
    assert "href" not in text
    assert text.count("http") == 1, "the name of SVG's own namespace"
