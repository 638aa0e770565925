"""`bicoastal drill` before anything is started: what it can rehearse, and mistakes."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from bicoastal.cli.drill import script_of
from bicoastal.cli.main import bicoastal
from bicoastal.drill.experiments import EXPERIMENTS
from bicoastal.spec.load import load
from tests.support.running import sample


def test_list_says_every_drill_in_sentences() -> None:
    result = CliRunner().invoke(bicoastal, ["drill", "list"])
    assert result.exit_code == 0
    for one in EXPERIMENTS.values():
        assert f"{one.name}: {one.title}" in result.stdout
        texts = [*(condition.text for condition in one.given), *(deed.text for deed in (*one.when, *one.afterwards))]
        assert all(text in result.stdout for text in texts)
        assert all(promise.text in result.stdout for promise in one.then)


def test_list_as_json() -> None:
    result = CliRunner().invoke(bicoastal, ["drill", "list", "--format", "json"])
    assert [one["scenario"] for one in json.loads(result.stdout)["drills"]] == list(EXPERIMENTS)


def test_an_unknown_drill_is_usage_and_names_those_that_are() -> None:
    result = CliRunner().invoke(bicoastal, ["drill", "moon-loss"])
    assert result.exit_code == 2
    assert "region-loss" in result.stderr


def test_a_mistake_in_the_file_is_said_before_anything_starts(tmp_path: Path) -> None:
    spec = tmp_path / "bicoastal.yaml"
    spec.write_text("name: orders\ncost_centre: 4711\n")
    result = CliRunner().invoke(bicoastal, ["drill", "region-loss", "--spec", str(spec)])
    assert result.exit_code != 0
    assert "cost_centre" in str(result.exception)


def test_what_an_experiment_asks_is_laid_over_the_spec_beside_a_copy_of_the_application(tmp_path: Path) -> None:
    given = sample(tmp_path / "given", instances="instances: {type: t3.small, min: 2, max: 6}")
    asks = {"instances": {"max": 3}, "regions": {"standby": {"at_capacity": {"requests_per_minute": 1000}}}}
    script = script_of(given, asks, tmp_path / "asked")
    spec = load(script.spec)
    assert (spec.instances.type, spec.instances.max) == ("t3.small", 3)
    assert spec.regions[spec.standby].at_capacity.requests_per_minute == 1000
    assert spec.regions[spec.home].at_capacity == load(given).regions[spec.home].at_capacity
    assert spec.regions[spec.standby].cidr == load(given).regions[spec.standby].cidr
    assert (script.spec.parent / "app" / "orders" / "web.py").is_file()
    assert script_of(given).spec == given, "nothing is asked, nothing is written"
