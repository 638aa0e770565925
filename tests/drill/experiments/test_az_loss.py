"""A lost zone, judged on what was made up: too late, elsewhere, or nothing lost at all."""

from __future__ import annotations

import pytest

from bicoastal.cfn.deployment import Deployment
from bicoastal.drill import in_region, looks
from bicoastal.drill.experiment import Run
from bicoastal.drill.experiments import az_loss
from tests.drill.entries import EAST, read, write
from tests.drill.made import FAULT, evidence, run
from tests.support.deployed import deployed
from tests.support.specs import spec


@pytest.fixture(autouse=True)
def templates(monkeypatch: pytest.MonkeyPatch) -> Deployment:
    """Those of the sample, as a stage would have deployed them."""
    made = deployed(spec())
    monkeypatch.setattr(looks, "deployment", lambda _: made)
    return made


def lost_zone(**notes: object) -> Run:
    seen = {
        "zone": f"{EAST}a",
        "lost_instances": 1,
        "desired": 2,
        "zones_after": [f"{EAST}b", f"{EAST}c"],
        "capacity_s": 12.0,
        "standby_again_s": 5.0,
        "database_before": database("a", "b"),
        "database_after": database("b", "c"),
        **notes,
    }
    return run(notes=seen)


def database(zone: str, standby: str, **changes: str) -> dict[str, str]:
    base = {"identifier": "db-g1", "endpoint": "127.0.0.1:5432", "zone": EAST + zone, "standby_zone": EAST + standby}
    return {**base, **changes}


def test_capacity_is_back_in_time_or_not() -> None:
    held, said = az_loss.judge_capacity(lost_zone(), evidence())
    assert held, said
    assert said == f"2 servers in {EAST}b, {EAST}c after 12.0 s, at most 60.0 s"
    assert not az_loss.judge_capacity(lost_zone(capacity_s=61.0), evidence())[0]
    assert not az_loss.judge_capacity(lost_zone(capacity_s=None), evidence())[0]
    assert az_loss.judge_capacity(lost_zone(lost_instances=0), evidence()) == (
        False,
        f"no server stood in {EAST}a: nothing was lost",
    )


@pytest.mark.parametrize(("after", "held"), [
    (database("b", "c"), True),
    (database("b", "c", endpoint="127.0.0.2:5432"), False),
    (database("b", "c", identifier="db-g2"), False),
    (database("a", "c"), False),
    (database("c", "b"), False),
])  # fmt: skip
def test_the_database_moves_to_its_standby_and_stays_itself(after: dict[str, str], *, held: bool) -> None:
    assert in_region.SAME_ENDPOINT.judge(lost_zone(database_after=after), evidence())[0] is held


def test_the_new_standby_is_in_a_zone_that_is_there() -> None:
    judge = in_region.STANDBY_ELSEWHERE.judge
    assert judge(lost_zone(), evidence())[0]
    assert not judge(lost_zone(database_after=database("b", "a")), evidence())[0], "it is lost"
    assert not judge(lost_zone(database_after=database("b", "b")), evidence())[0], "it is the primary's"
    assert not judge(lost_zone(standby_again_s=None), evidence())[0]


def test_bars_come_from_the_templates_and_from_rds() -> None:
    late = evidence(read(FAULT + 1, "502"), read(FAULT + 3.5), write(FAULT + 1, "r", "503"), write(FAULT + 14.5, "r"))
    assert in_region.READS_WITHIN.judge(lost_zone(), late)[1].endswith("at most 3.4 s")
    assert in_region.WRITES_WITHIN.judge(lost_zone(), late)[1].endswith("at most 14.0 s")
    assert not in_region.READS_WITHIN.judge(lost_zone(), late)[0]
    assert not in_region.WRITES_WITHIN.judge(lost_zone(), late)[0]
    soon = evidence(read(FAULT + 1, "502"), read(FAULT + 1.5), write(FAULT + 1, "r", "503"), write(FAULT + 4, "r"))
    assert in_region.READS_WITHIN.judge(lost_zone(), soon)[0]
    assert in_region.WRITES_WITHIN.judge(lost_zone(), soon)[0]
    never = evidence(read(FAULT + 1, "502"), write(FAULT + 1, "r", "503"))
    assert in_region.READS_WITHIN.judge(lost_zone(), never) == (False, f"reader near {EAST} was not served again")
    assert not in_region.WRITES_WITHIN.judge(lost_zone(), never)[0]
