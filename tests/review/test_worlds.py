"""Conditions that cannot be decided are looked at both ways, and parameters mean the same everywhere."""

from __future__ import annotations

from pathlib import Path

from bicoastal.cfn.load import read_all
from bicoastal.review.demand import Demand, single_region_web
from bicoastal.review.reviewed import Review, review
from bicoastal.review.worlds import worlds

STAGES = """\
Parameters:
  Stage: {Type: String, AllowedValues: [production, test]}
  Size: {Type: String}
Conditions:
  Production: !Equals [!Ref Stage, production]
  NotProduction: !Not [!Condition Production]
  Test: !Equals [!Ref Stage, test]
  Big: !Equals [!Ref Size, big]
Resources:
  Data:
    Type: AWS::DynamoDB::Table
    Properties:
      DeletionProtectionEnabled: !If [Production, true, false]
"""
SECURITY = """\
Parameters:
  Stage: {Type: String}
Conditions:
  Production: !Equals [!Ref Stage, production]
Resources:
  Logs:
    Type: AWS::Logs::LogGroup
    Properties: {RetentionInDays: !If [Production, 30, 90]}
"""


def reviewed(folder: Path, text: str) -> Review:
    (folder / "t.yaml").write_text(text)
    return review(read_all([folder]), _demand)


def _demand(_deployment: object) -> Demand:
    return single_region_web()


def test_a_parameter_is_one_thing_and_its_values_exclude_each_other(tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text(STAGES)
    (tmp_path / "u.yaml").write_text(STAGES)
    found = worlds(read_all([tmp_path]).deployment())
    assert [world.words for world in found] == [
        "Stage is production and Size is big",
        "Stage is production and Size is something else",
        "Stage is test and Size is big",
        "Stage is test and Size is something else",
    ]
    for world in found:
        for stack in ("t/us-east-1", "u/us-east-1"):
            assert world.conditions[stack, "Production"] != world.conditions[stack, "Test"]
        assert ("t/us-east-1", "NotProduction") not in world.conditions, "it follows"


def test_decided_templates_have_no_cases(tmp_path: Path) -> None:
    assert reviewed(tmp_path, STAGES.replace("{Type: String", "{Type: String, Default: test")).cases == 1


def test_a_row_that_depends_on_a_parameter_says_when(tmp_path: Path) -> None:
    found = reviewed(tmp_path, SECURITY)
    assert found.cases == 2
    logs = next(row for row in found.rows if row.id == "M7")
    texts = [text for text in (*logs.missing, *logs.doubts) if "90 days" in text]
    assert texts == ["Where Stage is something else: us-east-1 Logs keeps logs for 90 days, not 30."]


def test_the_number_of_cases_is_bounded(tmp_path: Path) -> None:
    names = [f"P{number}" for number in range(12)]
    text = "Parameters:\n" + "".join(f"  {name}: {{Type: String}}\n" for name in names)
    text += "Conditions:\n" + "".join(f"  C{name}: !Equals [!Ref {name}, x]\n" for name in names)
    text += "Resources:\n  A: {Type: AWS::SNS::Topic}\n"
    (tmp_path / "t.yaml").write_text(text)
    assert len(worlds(read_all([tmp_path]).deployment())) == 8
