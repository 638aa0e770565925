"""Files of demands: what they say, what is wrong with them, and that the page lists every field."""

from __future__ import annotations

from pathlib import Path

import pytest

from bicoastal.core.errors import InputError
from bicoastal.review.demand import single_region_web, two_region_web
from bicoastal.review.demand_file import FIELDS, PROFILES, REGION_FIELDS, demand_from

PAGE = Path(__file__).resolve().parents[2] / "docs" / "review.md"


def demand_file(folder: Path, text: str) -> Path:
    path = folder / "demand.yaml"
    path.write_text(text)
    return path


def test_a_file_begins_from_a_profile_and_says_what_is_different(tmp_path: Path) -> None:
    assert demand_from(demand_file(tmp_path, "profile: two-region-web\n")) == two_region_web()
    assert demand_from(demand_file(tmp_path, "profile: single-region-web\n")) == single_region_web()
    found = demand_from(
        demand_file(
            tmp_path,
            """\
home: eu-west-1
standby: eu-central-1
fleet_max: 10
engine_version: 17.10
tags: [team, cost-center]
not_asked: [M8]
regions:
  eu-central-1: {zones: 3, backup_start: 21:00}
""",
        )
    )
    assert [region.name for region in found.regions] == ["eu-west-1", "eu-central-1"]
    assert (found.fleet_max, found.engine_version, found.copies) == (10, "17.10", ("eu-central-1",))
    assert found.tags == {"team": None, "cost-center": None}
    assert found.standby is not None
    assert (found.standby.zones, found.standby.backup_start) == (3, "21:00")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[]", "not a file of demands"),
        ("profile: one-region", "there is no profile one-region"),
        ("fleet_mx: 3", "nothing is called fleet_mx[\\s\\S]*Did you mean fleet_max"),
        ("fleet_max: many", "fleet_max takes a number"),
        ("fleet_max: true", "fleet_max takes a number"),
        ("routing: random", "routing takes nearest or failover"),
        ("not_asked: [M99]", "rows from M1 to M14"),
        ("home: us-west-2\nstandby: us-west-2", "the same region"),
        ("profile: single-region-web\nstandby: us-west-2", "has one region"),
        ("regions: {eu-west-1: {zones: 2}}", "eu-west-1 is not asked for"),
        ("regions: {us-east-1: 3}", "not a mapping"),
        ("regions: 3", "not a mapping"),
        ("regions: {us-east-1: {zoness: 3}}", "Did you mean zones"),
        ("a: [", "not closed"),
    ],
)
def test_what_is_wrong_is_said_with_its_line_and_what_to_write(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(InputError, match=why):
        demand_from(demand_file(tmp_path, text))


def test_everything_wrong_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        demand_from(demand_file(tmp_path, "fleet_max: x\nlog_days: y\n"))
    assert [finding.location.position.line for finding in caught.value.findings if finding.location.position] == [1, 2]


def test_the_page_lists_every_field_and_profile() -> None:
    text = PAGE.read_text()
    for name in (*FIELDS, *REGION_FIELDS, *PROFILES):
        assert f"`{name}`" in text, name
