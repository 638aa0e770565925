"""A table that came back, judged on what was made up: too few rows, rows lost that were backed up, data elsewhere."""

from __future__ import annotations

from typing import Any

import pytest

from bicoastal.core.errors import SystemFault
from bicoastal.drill.experiment import Run
from bicoastal.drill.experiments import restore
from bicoastal.drill.measure import Loss
from tests.drill.entries import EAST, WEST, write
from tests.drill.made import FAULT, evidence, run

BEFORE = frozenset({"a", "b", "c"})


def table(name: str, rows: int | None, live: int | None, *, same: bool | None = None) -> dict[str, Any]:
    return {"table": name, "rows": rows, "live_rows": live, "same": same}


def came_back(rows: int | None = 3, *, sound: bool = True, live: int | None = None) -> Run:
    tables = [table("public.migrations", 2, 2, same=True), table("public.orders", rows, live)]
    said = {"tables": tables, "sound": sound, "unknown": None, "live_unknown": None}
    kept = {"before": BEFORE, "until": BEFORE | {"d"}, "backed_up": FAULT - 10, "back": FAULT + 20, "restored": said}
    return run(kept=kept, survivor_rows=BEFORE | {"later"})


@pytest.mark.parametrize(("rows", "held"), [(3, True), (4, True), (2, False), (5, False), (None, False)])
def test_the_restored_database_has_what_was_there_at_the_backup(rows: int | None, *, held: bool) -> None:
    assert restore.judge_count(came_back(rows), evidence())[0] is held


def test_one_that_could_not_be_read_wholly_proves_nothing() -> None:
    assert not restore.judge_count(came_back(sound=False), evidence())[0]
    assert restore.judge_count(run(), evidence()) == (False, "nothing was restored")


def test_every_row_from_before_the_backup_is_there_again() -> None:
    assert restore.judge_back(came_back(), evidence()) == (True, "3 of 3 are there again")
    gone = came_back()
    gone.survivor_rows = frozenset({"a", "later"})
    assert restore.judge_back(gone, evidence()) == (False, "1 of 3 are there again")
    assert not restore.judge_back(run(), evidence())[0]


def lost(*ids: str) -> Loss:
    return Loss(9, ids, None, 0, None, None, 0)


def test_only_what_came_after_the_backup_may_be_lost() -> None:
    entries = [write(FAULT - 12, "a"), write(FAULT - 5, "d"), write(FAULT + 30, "e")]
    assert restore.judge_lost(came_back(), evidence(*entries, loss=lost("d"))) == (
        True,
        "1 of 9 acknowledged rows are lost, all stored after the backup",
    )
    assert not restore.judge_lost(came_back(), evidence(*entries, loss=lost("a", "d")))[0]
    assert not restore.judge_lost(came_back(), evidence(*entries, loss=lost("e")))[0], "the table was back by then"
    assert not restore.judge_lost(came_back(), evidence())[0]


def test_the_live_database_lost_the_table_alone() -> None:
    assert restore.judge_live(came_back(), evidence())[0]
    assert not restore.judge_live(came_back(live=3), evidence())[0], "it was not dropped"
    changed = came_back()
    changed.kept["restored"]["tables"][0]["same"] = False
    assert restore.judge_live(changed, evidence())[1].startswith("public.migrations differs")
    unread = came_back()
    unread.kept["restored"]["live_unknown"] = "no answer"
    assert restore.judge_live(unread, evidence()) == (False, "it could not be compared: no answer")


@pytest.mark.parametrize(
    ("kept_in", "held"),
    [
        ({EAST: 2, WEST: 1, "eu-west-1": 0}, True),
        ({EAST: 2, WEST: 1, "eu-west-1": 1}, False),
        ({EAST: 2, WEST: 0, "eu-west-1": 0}, False),
        ({}, False),
    ],
)
def test_data_are_in_both_declared_regions_and_nowhere_else(kept_in: dict[str, int], *, held: bool) -> None:
    assert restore.judge_residency(run(notes={"kept_in": kept_in}), evidence())[0] is held


def test_weekdays_and_no_other_day() -> None:
    week = dict.fromkeys(("Mon", "Tue", "Wed", "Thu", "Fri"), 2)
    assert restore.judge_days(run(notes={"backup_days": week}), evidence())[0]
    assert not restore.judge_days(run(notes={"backup_days": {**week, "Sat": 1}}), evidence())[0]
    assert not restore.judge_days(run(notes={"backup_days": {"Mon": 2}}), evidence())[0]
    assert not restore.judge_days(run(), evidence())[0]


def test_the_document_is_found_among_the_lines() -> None:
    assert restore.document('  0.1 s  a line\n{\n  "kept": true\n}\n  0.2 s  another\n') == {"kept": True}
    with pytest.raises(SystemFault, match="no document"):
        restore.document("nothing but words\n")
