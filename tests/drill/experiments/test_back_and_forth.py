"""Two failovers, judged on what was made up: epochs, writers, and rows that no loss explains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from bicoastal.drill.experiment import Run
from bicoastal.drill.experiments import back_and_forth
from bicoastal.drill.experiments.back_and_forth import Loss, Stop
from bicoastal.drill.operator import Command, Step
from bicoastal.twin.faults import Act
from tests.drill.entries import EAST, WEST, read, write
from tests.drill.made import FAULT, evidence, run

SECOND = FAULT + 50


def stops(*epochs: int | None) -> list[Stop]:
    primaries = (EAST, WEST, WEST, EAST, EAST)
    return [
        Stop(f"at stop {number}", region, epoch, (region,), "")
        for number, (region, epoch) in enumerate(zip(primaries, epochs, strict=True))
    ]


GOOD = stops(1, 2, 2, 3, 3)


def moved(seen: Sequence[Stop] = GOOD, **changes: Any) -> Run:
    def loss(region: str, at: float) -> Loss:
        opened = Command(("failover",), at + 1, at + 9, 0, steps=[Step("open the read gate", at + 6, at + 7)])
        return Loss(region, Act("lost", at, at + 0.1), Act("back", at + 20, at + 20), opened, at + 15)

    return run(kept={"stops": list(seen), "losses": [loss(EAST, FAULT), loss(WEST, SECOND)]}, **changes)


def test_each_takeover_raises_the_epoch_by_one() -> None:
    assert back_and_forth.judge_epochs(moved(), evidence()) == (True, "1, 2, 2, 3, 3")
    for wrong in ((1, 2, 2, 2, 2), (1, 2, 3, 3, 3), (1, 2, 2, 4, 4), (1, 2, None, 3, 3)):
        assert not back_and_forth.judge_epochs(moved(stops(*wrong)), evidence())[0]
    assert not back_and_forth.judge_epochs(moved(GOOD[:3]), evidence())[0]


def test_one_database_takes_writes_at_each_stop() -> None:
    assert back_and_forth.judge_one_writer(moved(), evidence())[0]
    both = [*GOOD[:2], replace(GOOD[2], writers=(EAST, WEST)), *GOOD[3:]]
    assert back_and_forth.judge_one_writer(moved(both), evidence()) == (
        False,
        f"writes are taken in {EAST}, {WEST} at stop 2",
    )
    fenced = [*GOOD[:4], replace(GOOD[4], writers=(), fence="superseded")]
    assert not back_and_forth.judge_one_writer(moved(fenced), evidence())[0]
    assert not back_and_forth.judge_one_writer(moved(GOOD[:4]), evidence())[0]


def test_users_are_served_after_either_loss() -> None:
    soon = [read(FAULT + 1, "refused"), read(FAULT + 4), read(SECOND + 1, "refused", coast=WEST),
            read(SECOND + 7.5, coast=WEST)]  # fmt: skip
    assert back_and_forth.judge_served(moved(), evidence(*soon))[0]
    late = [*soon, read(SECOND + 8, "503"), read(SECOND + 9)]
    held, said = back_and_forth.judge_served(moved(), evidence(*late))
    assert not held
    assert said == f"{WEST} lost: 9.0 s (reader near {EAST}), at most 8.0 s"
    one = moved()
    one.kept["losses"].pop()
    assert not back_and_forth.judge_served(one, evidence(*soon))[0]


def test_only_what_was_under_way_may_be_lost() -> None:
    def judge(*entries: object) -> tuple[bool, str]:
        made = moved(survivor_rows=frozenset({"kept"}), counted=FAULT + 90)
        return back_and_forth.judge_rows(made, evidence(write(FAULT - 9, "kept"), *entries))  # type: ignore[arg-type]

    assert judge()[0]
    assert judge(write(FAULT - 0.5, "a"), write(SECOND - 0.5, "b"))[0]
    assert not judge(write(FAULT - 3, "a"))[0], "it had arrived everywhere by then"
    assert not judge(write(FAULT + 30, "a"))[0]
    assert judge(write(FAULT + 21, "a", pinned=True))[0], "the returned primary told it to who asks nobody else"
    assert not judge(write(FAULT + 21, "a", pinned=True, region=WEST))[0]
    assert not judge(write(FAULT + 10, "a", pinned=True))[0], "it had not returned"
