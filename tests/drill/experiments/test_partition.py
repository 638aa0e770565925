"""A partition, judged on what was made up: silence, a fence, a promotion, and lists that lack a row."""

from __future__ import annotations

import pytest

from bicoastal.drill.experiment import Run
from bicoastal.drill.experiments import partition
from bicoastal.drill.measure import READS, WRITES
from bicoastal.drill.operator import Command, Step
from tests.drill.entries import EAST, WEST, read, write
from tests.drill.made import FAULT, evidence, lost, run

HEALED = FAULT + 15


def steady(coast: str, *, region: str = "", end: float = HEALED) -> list[object]:
    return [read(FAULT + second, coast=coast, region=region or coast) for second in range(1, int(end - FAULT) + 1)]


def home(made: Run) -> str:
    return made.home


def standby(made: Run) -> str:
    return made.standby


def test_who_is_served_all_the_time_waits_for_nothing() -> None:
    judge = partition.served_throughout(standby, READS)
    made = run(returned=HEALED)
    served = [read(FAULT + second, coast=WEST, region=WEST) for second in range(1, 15)]
    assert judge(made, evidence(*served))[0]
    gap = [entry for entry in served if not FAULT + 2 < entry.ended < FAULT + 12]
    assert judge(made, evidence(*gap)) == (
        False,
        f"at most 10.0 s between two answers (reader near {WEST}), bar 8.0 s",
    )
    assert not judge(made, evidence(*served[:3]))[0], "nor is he served at the end"
    assert judge(made, evidence(*served, read(FAULT + 5, coast=WEST, region=EAST))) == (False, f"served by {EAST}")
    assert judge(made, evidence()) == (False, "nobody asked")
    assert judge(run(), evidence(*served)) == (False, "it was not healed")
    assert not partition.served_throughout(home, WRITES)(made, evidence(*served))[0], "they are not his"


def test_no_row_of_the_standbys_coast_is_acknowledged() -> None:
    made = run(returned=HEALED)
    refused = [write(FAULT + 3, "w1", "timed out", coast=WEST), write(FAULT + 6, "w1", "503", coast=WEST)]
    after = write(HEALED + 2, "w1", coast=WEST)
    assert partition.judge_refused(made, evidence(*refused, after)) == (
        True,
        "0 of 2 were acknowledged; the others saw: 503, timed out",
    )
    stored = write(FAULT + 8, "w2", coast=WEST, region=WEST)
    assert not partition.judge_refused(made, evidence(*refused, stored))[0]
    assert not partition.judge_refused(made, evidence(after))[0], "nobody tried"


@pytest.mark.parametrize(("meanwhile", "held"), [
    ([{EAST: [False, 1, None], WEST: [True, 1, None]}], True),
    ([{EAST: [False, 1, None], WEST: None}, {EAST: None, WEST: [True, 1, None]}], True),
    ([{EAST: [False, 1, "isolated"], WEST: [True, 1, None]}], False),
    ([{EAST: [False, 1, None], WEST: [False, 2, None]}], False),
    ([{EAST: None, WEST: [True, 1, None]}], False),
    ([], False),
])  # fmt: skip
def test_nothing_is_promoted_and_nobody_is_fenced(meanwhile: list[object], *, held: bool) -> None:
    before = {EAST: [False, 1, None], WEST: [True, 1, None]}
    made = run(returned=HEALED, notes={"before": before, "meanwhile": meanwhile})
    assert partition.judge_nothing_moved(made, evidence())[0] is held


def test_writes_come_back_with_the_way() -> None:
    made = run(returned=HEALED)
    late = [write(HEALED + 2, "w", "503", coast=WEST), write(HEALED + 8, "w", coast=WEST)]
    assert not partition.judge_back(made, evidence(*late))[0]
    soon = [write(HEALED + 2, "w", "503", coast=WEST), write(HEALED + 4, "w", coast=WEST)]
    assert partition.judge_back(made, evidence(*soon))[0]
    assert not partition.judge_back(made, evidence(*soon[:1]))[0]


def listed(*ids: str) -> list[object]:
    return [{"table": "public.orders", "row": {"id": id_, "item": "x"}} for id_ in ids]


def test_rejoin_lists_what_the_former_primary_alone_has() -> None:
    def judge(rows: list[object] | None) -> tuple[bool, str]:
        made = run(survivor_rows=frozenset({"a"}), stale_rows=frozenset({"a", "b", "c"}))
        made.kept["listed"] = rows
        return partition.judge_listed(made, evidence())

    assert judge(listed("b", "c")) == (True, f"2 rows are in {EAST} alone, 2 are listed")
    assert judge(listed("b"))[1].endswith("the first that differs: c")
    assert not judge(listed("a", "b", "c"))[0], "one is not his alone"
    assert not judge(None)[0]


def test_nothing_diverged_is_no_proof_of_a_list() -> None:
    made = run(survivor_rows=frozenset({"a"}), stale_rows=frozenset({"a"}), kept={"listed": []})
    assert not partition.judge_listed(made, evidence())[0]


def test_what_the_survivor_lacks_is_in_the_former_primary() -> None:
    made = run(stale_rows=frozenset({"b"}))
    assert partition.judge_accounted(made, evidence(loss=lost("b")))[0]
    assert not partition.judge_accounted(made, evidence(loss=lost("b", "c")))[0]
    assert not partition.judge_accounted(made, evidence())[0]


def test_the_guard_refuses_first() -> None:
    done = Command(("failover", "--force", "why"), FAULT, FAULT + 1, 0)
    assert partition.judge_forced(run(notes={"refused": "home is alive: it is"}, failover=done), evidence())[0]
    assert not partition.judge_forced(run(notes={"refused": None}, failover=done), evidence())[0]
    assert not partition.judge_forced(run(notes={"refused": "home is alive: it is"}), evidence())[0]


def test_an_override_is_in_the_journal_and_told_as_an_event() -> None:
    line = {"at": "2026-11-26T07:20:59", "who": "ann@desk", "what": "overridden", "doubt": "reads", "seen": "1 reads",
            "reason": partition.REASON}  # fmt: skip
    detail = {"who": "ann@desk", "reason": partition.REASON, "overridden": ["reads: 1 reads"]}
    event = {"detail-type": "Guard overridden", "detail": detail}

    def judge(journal: list[object], events: list[object]) -> bool:
        return partition.judge_audited(run(kept={"journal": journal, "events": events}), evidence())[0]

    assert judge([line], [event])
    assert not judge([line], [])
    assert not judge([], [event])
    assert not judge([{**line, "reason": "another"}], [event])
    assert not judge([{**line, "at": ""}], [event])
    assert not judge([line], [{**event, "detail": {**detail, "overridden": ["lag: 40 s"]}}])


def test_the_former_primary_is_fenced_first() -> None:
    failover = Command(("failover",), FAULT, FAULT + 9, 0, steps=[Step("promote", FAULT + 5, FAULT + 6)])

    def judge(fenced: list[object] | None) -> bool:
        return partition.judge_fenced_first(run(failover=failover, notes={"fenced": fenced}), evidence())[0]

    assert judge([FAULT + 3, "superseded"])
    assert not judge([FAULT + 5.5, "superseded"])
    assert not judge([None, None])
    assert not judge(None)
