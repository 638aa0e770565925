"""The shortest drills beside the region's loss, for real and in a row: what leaves no trace shares both regions.

How long users waited is held against its bars by `bench/drills.py`, on a machine that does nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from bicoastal.cli.drill import script_of
from bicoastal.drill.drill import several
from bicoastal.drill.experiments import EXPERIMENTS
from bicoastal.drill.report import Report, Unplayed
from bicoastal.twin.pace import FAST
from tests.drill.experiments.test_region_loss import TIMED
from tests.support.running import sample

SHORTEST = ("database-loss", "partition")


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Report | Unplayed]:
    script = script_of(sample(tmp_path_factory.mktemp("application")))
    chosen = [EXPERIMENTS[name] for name in SHORTEST]
    return {one.scenario: one for one in several(chosen, lambda _: script, FAST, seed=1, tell=print)}


@pytest.mark.parametrize("name", SHORTEST)
def test_everything_but_the_clock_held(ended: Mapping[str, Report | Unplayed], name: str) -> None:
    found = ended[name]
    assert isinstance(found, Report), found.why
    assert [said for said in found.broken if not said.text.startswith(TIMED)] == []
    assert found.loss is not None
    assert found.loss.acknowledged > 10
