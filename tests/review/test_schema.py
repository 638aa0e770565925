"""AWS's schema pass: merged, attributed, and suppressed like any other finding."""

from __future__ import annotations

from pathlib import Path

import pytest

from bicoastal.cfn.load import read_all
from bicoastal.review.demand import Demand, two_region_web
from bicoastal.review.reviewed import review
from bicoastal.review.schema import PACKAGE, available

pytestmark = pytest.mark.skipif(not available(), reason=f"{PACKAGE} is not installed")
TABLE = """\
Resources:
  Orders:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMod: PAY_PER_REQUEST
      KeySchema: [{AttributeName: id, KeyType: HASH}]
"""
ACCEPTED = """\
    Metadata:
      bicoastal:
        suppress: [{rule: F3002, reason: A test.}]
"""


def _demand(_deployment: object) -> Demand:
    return two_region_web()


def test_what_awss_schemas_say_is_a_finding_with_a_place_and_who_said_it(tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text(TABLE)
    found = review(read_all([tmp_path]), _demand, schema=True)
    misspelt = next(item for item in found.findings if "BillingMod" in item.title)
    assert misspelt.location.position is not None
    assert (misspelt.rule, misspelt.location.position.line, misspelt.resource) == ("F3002", 5, "Orders")
    assert PACKAGE in misspelt.detail
    assert not any(PACKAGE in item.detail for item in review(read_all([tmp_path]), _demand).findings)


def test_a_suppressed_one_is_counted_and_not_said(tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text(TABLE.replace("    Properties:", f"{ACCEPTED}    Properties:"))
    found = review(read_all([tmp_path]), _demand, schema=True)
    assert not any(item.rule == "F3002" for item in found.findings)
    assert found.suppressed == 1
