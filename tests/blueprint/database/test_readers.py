"""What `review` makes of readers inside a region: found, and asked for nothing that RDS does not take."""

from __future__ import annotations

from pathlib import Path

import pytest

from bicoastal.blueprint.stacks import compose
from bicoastal.blueprint.write import write_deployment
from bicoastal.cfn.load import read_deployment
from bicoastal.review.asked import judge_all
from bicoastal.review.demand import demand_of
from tests.support.specs import spec


@pytest.mark.parametrize(("built", "asked", "missing"), [(2, 2, False), (1, 2, True)])
def test_readers_are_counted_by_region(tmp_path: Path, built: int, asked: int, missing: bool) -> None:
    folder = tmp_path / "out"
    write_deployment(compose(spec(database={"read_replicas": built})), folder)
    verdicts = judge_all(read_deployment([folder]), demand_of(spec(database={"read_replicas": asked})))
    lacking = [text for row in verdicts if row.id == "M5" for text in row.missing]
    assert lacking == (
        [f"{name} has 1 of the 2 read replicas that were asked for beside the database." for name in spec().regions]
        if missing
        else []
    )
    assert not [text for row in verdicts for text in row.missing if "DatabaseReplica" in text]
