"""`bicoastal review` from the outside: what it prints, and how it ends."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bicoastal.blueprint.stacks import compose
from bicoastal.blueprint.write import write_deployment
from bicoastal.cli.review import command
from bicoastal.core.errors import InputError
from bicoastal.spec.starter import STARTER
from tests.support.specs import spec

TABLE = """\
AWSTemplateFormatVersion: "2010-09-09"
Resources:
  Orders:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: id, AttributeType: S}]
      KeySchema: [{AttributeName: id, KeyType: HASH}]
"""


def run(*arguments: str | Path) -> Result:
    """Without AWS's schema pass: its tests are tests/review/test_schema.py's."""
    return CliRunner().invoke(command, ["--no-schema", *(str(item) for item in arguments)], catch_exceptions=False)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No bicoastal.yaml of the place where the tests run."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """One template that holds a table and nothing else."""
    path = tmp_path / "table.yaml"
    path.write_text(TABLE)
    return path


def test_what_synth_wrote_is_delivered_on_one_screen(tmp_path: Path) -> None:
    write_deployment(compose(spec()), tmp_path / "deployment")
    result = run()
    lines = result.output.splitlines()
    assert result.exit_code == 0, result.output
    assert lines[-1] == "All 14 rows are delivered."
    assert sum(" ✓ M" in line for line in lines) == 14
    assert len(lines) <= 24, "one screen"
    assert max(map(len, lines)) <= 100


def test_a_table_alone_is_told_what_was_asked_what_is_there_what_is_not_and_where_to_begin(table: Path) -> None:
    result = run(table)
    text = result.output
    assert result.exit_code == 1
    assert text.startswith("Asked: a web application in two regions, us-east-1 (home) and us-west-2 (profile")
    assert "\nThere is: Orders (DynamoDB Table), in us-east-1.\n" in text
    assert " ✗ M5  Multi-AZ PostgreSQL" in text
    assert "M5   - There is no PostgreSQL database: no primary" in text
    assert "us-east-1 and us-west-2 have no VPC." in text
    assert "there is: Orders (data in us-east-1)" in text
    assert "Begin with M6, which others stand on: us-east-1 and us-west-2 have no VPC. Then M5 and M14." in text
    assert "`bicoastal init`" in text
    assert len(text.splitlines()) < 64
    assert max(len(line) for line in text.splitlines() if str(table) not in line) <= 100


def test_what_was_asked_is_a_profile_or_a_file(table: Path, tmp_path: Path) -> None:
    alone = run(table, "--demand", "single-region-web").output
    assert "Asked: a web application in us-east-1 (profile single-region-web)." in alone
    assert "us-west-2" not in alone
    assert "M1 " not in alone
    demand = tmp_path / "demand.yaml"
    demand.write_text("standby: eu-west-1\nnot_asked: [M8]\n")
    other = run(table, "--demand", demand).output
    assert "us-east-1 (home) and eu-west-1\n" in other
    assert "M8 " not in other
    assert run(table, "--demand", "single-region-web", "--spec", "x.yaml").exit_code == 2


def test_a_baseline_leaves_out_what_was_known_and_counts_what_is_new(table: Path, tmp_path: Path) -> None:
    known = tmp_path / "known.json"
    assert run(table, "--write-baseline", known).exit_code == 0
    first = run(table, "--baseline", known)
    assert first.exit_code == 0, first.output
    table.write_text(TABLE.replace("Orders", "Sales"))
    assert run(table, "--baseline", known).exit_code == 1
    known.write_text("{}")
    with pytest.raises(InputError, match="no baseline"):
        run(table, "--baseline", known)


def test_what_says_no_is_chosen(table: Path) -> None:
    assert run(table, "--fail-on", "nothing").exit_code == 0
    assert run(table, "--fail-on", "error").exit_code == 0
    assert run(table, "--fail-on", "warning").exit_code == 1
    assert run(table, "--fail-on", "row").exit_code == 1


def test_a_repository_decides_in_its_pyproject(table: Path) -> None:
    Path("pyproject.toml").write_text('[tool.bicoastal.review]\nfail-on = ["error"]\ndemand = "single-region-web"\n')
    result = run(table)
    assert result.exit_code == 0
    assert "profile single-region-web" in result.output
    Path("pyproject.toml").write_text('[tool.bicoastal.review]\nfale-on = ["error"]\n')
    with pytest.raises(InputError, match="no setting fale-on"):
        run(table)


def test_the_spec_is_the_demand_and_its_settings_hold(table: Path, tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "main.py").write_text("")
    Path("bicoastal.yaml").write_text(f"{STARTER}review:\n  fail_on: [error]\n")
    result = run(table)
    assert result.exit_code == 0, result.output
    assert "(bicoastal.yaml)" in result.output
    assert run(table, "--fail-on", "row").exit_code == 1


def test_what_if_is_told_and_is_in_the_json(tmp_path: Path) -> None:
    write_deployment(compose(spec()), tmp_path / "deployment")
    text = run("--what-if").output
    assert "If us-east-1a, us-east-1b or us-east-1c is lost:" in text
    assert "promote DatabaseInstance of us-west-2" in text
    data = json.loads(run("--what-if", "--format", "json").output)
    home = next(loss for loss in data["what_if"] if loss["lost"] == "us-east-1")
    assert home["kind"] == "region"
    assert len(home["manual"]) == 1


def test_rules_and_rows_are_explained() -> None:
    assert "fleet" in run("--explain", "fleet-in-one-zone").output
    assert run("--explain", "m5").output.startswith("M5: Multi-AZ PostgreSQL")
    result = run("--explain", "fleet-in-one-zones")
    assert result.exit_code == 2
    assert "did you mean fleet-in-one-zone?" in result.output


@pytest.mark.parametrize("form", ["json", "sarif", "junit", "github", "html"])
def test_every_form_can_go_to_a_file(table: Path, tmp_path: Path, form: str) -> None:
    result = run(table, "--format", form, "-o", tmp_path / "out")
    assert (result.exit_code, result.output) == (1, "")
    assert (tmp_path / "out").read_text() == run(table, "--format", form).output


def test_json_keeps_its_contract(table: Path) -> None:
    result = run(table, "--format", "json")
    assert result.exit_code == 1
    data = json.loads(result.output)
    assert list(data) == ["asked", "findings"]
    assert [row["id"] for row in data["asked"]] == [f"M{number}" for number in range(1, 15)]
    residency = data["asked"][1]
    assert set(residency) == {"id", "title", "verdict", "evidence", "missing"}
    assert residency["verdict"] == "partly"
    assert residency["evidence"] == [
        {
            "template": str(table),
            "region": "us-east-1",
            "resource": "Orders",
            "line": 3,
            "text": "data in us-east-1",
        }
    ]


def test_a_region_is_given_by_file(table: Path) -> None:
    result = run(table, "--region", "table.yaml=us-west-2")
    assert "Orders (DynamoDB Table), in us-west-2" in result.output
    assert run(table, "--region", "us-west-2").exit_code == 2


def test_parameters_are_given_by_name_and_by_file(tmp_path: Path) -> None:
    template = tmp_path / "t.yaml"
    template.write_text(TABLE.replace("Resources:", "Parameters:\n  Mode: {Type: String}\nResources:"))
    values = tmp_path / "values.json"
    values.write_text('{"Mode": "x"}')
    assert run(template, "--parameter", "t.yaml:Mode=y", "--parameter-file", values).exit_code == 1
    assert run(template, "--parameter", "Mode").exit_code == 2
    with pytest.raises(InputError, match="no template has a parameter Moed"):
        run(template, "--parameter", "Moed=y")


def test_what_is_no_template_is_said_beside_the_rest(table: Path) -> None:
    (table.parent / "compose.yaml").write_text("services: {}\n")
    result = run(table.parent)
    assert result.exit_code == 1
    assert "skipped, this is not a template: it has no section Resources" in result.output
    assert "Orders (DynamoDB Table)" in result.output


def test_nothing_but_other_files_is_unreadable_input(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text("services: {}\n")
    with pytest.raises(InputError, match="not a template"):
        run(tmp_path)


def test_a_broken_template_is_said_and_never_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("Resources:\n  A: {Type: [\n")
    with pytest.raises(InputError):
        run(tmp_path)
