"""Other tools' forms are well-formed, complete and safe, whatever the templates say."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from bicoastal.cfn.load import read_all
from bicoastal.review.demand import Demand, two_region_web
from bicoastal.review.formats.data import as_data
from bicoastal.review.formats.exchange import as_github, as_junit, as_sarif
from bicoastal.review.formats.html import as_html
from bicoastal.review.formats.text import together
from bicoastal.review.reviewed import Review, review

NASTY = """\
Resources:
  "<script>alert(1)</script>":
    Type: AWS::DynamoDB::Table
    Properties: {TableName: "]]>&<\\u0007\\r\\n::error::"}
  "A%\\n::B":
    Type: AWS::RDS::DBInstance
    Properties: {Engine: postgres, MultiAZ: false, AllocatedStorage: "10"}
"""


def _demand(_deployment: object) -> Demand:
    return two_region_web()


@pytest.fixture
def done(tmp_path: Path) -> Review:
    (tmp_path / "nasty, 100%.yaml").write_text(NASTY)
    (tmp_path / "broken.yaml").write_text("Resources: {A: {Type: AWS::SNS::Topic\n")
    return review(read_all([tmp_path]), _demand)


def test_sarif_has_every_result_at_a_place(done: Review) -> None:
    run = json.loads(as_sarif(done.rows, done.findings, done.deployment))["runs"][0]
    undone = sum(row.verdict != "delivered" for row in done.rows)
    assert len(run["results"]) == undone + len(done.findings)
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    for result in run["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]
        place = result["locations"][0]["physicalLocation"]
        assert place["artifactLocation"]["uri"]
        assert place["region"]["startLine"] >= 1


def test_junit_is_xml_whatever_it_says(done: Review) -> None:
    suite = ET.fromstring(as_junit(done.rows, done.findings, done.deployment).encode())[0]
    names = [case.get("name") or "" for case in suite]
    assert sum(bool(re.match(r"M\d+ ", name)) for name in names) == len(done.rows)
    assert suite.get("tests") == str(len(names))
    assert int(suite.get("failures") or 0) == len(suite.findall(".//failure"))


def test_github_gets_one_command_a_line_and_no_text_can_add_one(done: Review) -> None:
    lines = as_github(done.rows, done.findings, done.deployment).splitlines()
    assert lines
    for line in lines:
        assert re.match(r"::(error|warning|notice) file=[^,:]+,line=\d+,col=\d+,title=[^:]*::.", line), line


def test_rows_that_do_not_count_are_told_as_notes(done: Review) -> None:
    results = json.loads(as_sarif(done.rows, (), done.deployment, rows_count=False))["runs"][0]["results"]
    assert {result["level"] for result in results} == {"note"}
    suite = ET.fromstring(as_junit(done.rows, (), done.deployment, rows_count=False).encode())[0]
    assert suite.get("failures") == "0"
    assert len(suite.findall(".//system-out")) == sum(row.verdict in ("missing", "partly") for row in done.rows)
    lines = as_github(done.rows, (), done.deployment, rows_count=False).splitlines()
    assert lines
    assert all(line.startswith("::notice ") for line in lines)


def test_the_page_is_one_file_and_runs_nothing(done: Review) -> None:
    text = as_html(done, done.findings, source="a test")
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert "src=" not in text
    assert "href=" not in text
    assert "prefers-color-scheme: dark" in text
    for row in done.rows:
        assert f"<td>{row.id}</td>" in text


def test_the_contract_of_the_json(done: Review) -> None:
    data = as_data(done.rows, done.findings)
    assert set(data["findings"][0]) == {
        "rule", "severity", "title", "detail", "remedy", "template", "region", "resource", "path", "line", "column",
    }  # fmt: skip


def test_what_is_the_same_in_every_region_is_said_once() -> None:
    texts = ["east has no VPC.", "west has no VPC.", "east does not grow.", "east Db has no tag x.", "All is lost."]
    assert together(texts, ["east", "west"]) == [
        "east and west have no VPC.", "east does not grow.", "east Db has no tag x.", "All is lost.",
    ]  # fmt: skip
    assert together(texts, ["east"]) == texts
