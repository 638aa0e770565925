"""`bicoastal review` from the outside: what it prints, and how it ends."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bicoastal.blueprint.stacks import compose
from bicoastal.blueprint.write import write_deployment
from bicoastal.cli.review import command
from bicoastal.core.errors import InputError
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
    return CliRunner().invoke(command, [str(item) for item in arguments], catch_exceptions=False)


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
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 100


def test_a_table_alone_is_told_what_is_there_what_is_not_and_where_to_begin(table: Path) -> None:
    result = run(table)
    assert result.exit_code == 1
    assert result.output.startswith("There is: Orders (DynamoDB Table), in us-east-1.\n")
    assert " ✗ M5  Multi-AZ PostgreSQL" in result.output
    assert "There is no PostgreSQL database in any region" in result.output
    assert "us-east-1 Orders has no tag cost-center." in result.output
    assert result.output.endswith("Begin with M6, which others stand on: us-east-1 has no VPC.\n")
    assert len(result.output.splitlines()) < 80


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
