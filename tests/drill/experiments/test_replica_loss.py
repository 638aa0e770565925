"""A replica that stays away, judged on what was made up."""

from __future__ import annotations

from dataclasses import replace

from bicoastal.drill.experiments import replica_loss
from bicoastal.drill.ledger import Entry
from tests.drill.entries import EAST, WEST, listed, read
from tests.drill.made import FAULT, evidence, run

BACK = FAULT + 20


def test_wal_is_kept_up_to_a_bound() -> None:
    def judge(kept: float, limit: float = 64, slot: str = "lost") -> tuple[bool, str]:
        notes = {
            "wal_kept_mib": kept,
            "slot": slot,
            "settings_mib": {"max_slot_wal_keep_size": limit, "max_wal_size": 256.0},
        }
        return replica_loss.judge_bounded(run(notes=notes), evidence())

    assert judge(140) == (True, "140 MiB at most, bar 320 MiB; then the slot is lost")
    assert not judge(321)[0]
    assert not judge(0)[0], "nothing was written"
    assert not judge(140, slot="extended")[0]
    assert not judge(140, limit=-1)[0], "the limit was not lowered"
    assert not replica_loss.judge_bounded(run(), evidence())[0]


def test_the_replicas_own_region_tells_somebody() -> None:
    assert replica_loss.judge_told(run(notes={"alarms": {EAST: [], WEST: ["heartbeat-lost"]}}), evidence())[0]
    assert not replica_loss.judge_told(run(notes={"alarms": {EAST: ["heartbeat-lost"], WEST: []}}), evidence())[0]
    assert not replica_loss.judge_told(run(), evidence())[0]


def rows(at: float, *, replica: bool) -> Entry:
    return replace(listed(at, ("a", at - 1), region=WEST, replica=replica), user=f"reader near {WEST}")


def test_reads_go_on_from_the_primary() -> None:
    made = run(returned=BACK)
    reads = [read(FAULT + second, coast=WEST, region=WEST) for second in range(1, 20)]
    held, said = replica_loss.judge_served(made, evidence(*reads, rows(FAULT + 9, replica=False)))
    assert held, said
    assert said.endswith("lists come from the primary")
    assert not replica_loss.judge_served(made, evidence(*reads, rows(FAULT + 9, replica=True)))[0]
    assert not replica_loss.judge_served(made, evidence(*reads))[0], "nobody saw from where"
    assert not replica_loss.judge_served(made, evidence(*reads[:5], rows(FAULT + 5, replica=False)))[0], "a long wait"
    assert not replica_loss.judge_served(run(), evidence(*reads))[0]


def test_the_operator_builds_another_one() -> None:
    def judge(before: str, after: str, *generations: str) -> bool:
        notes = {"generations": list(generations), "replication": before, "replication_after": after}
        return replica_loss.judge_rebuilt(run(notes=notes), evidence())[0]

    assert judge("error", "replicating", "db-g1", "db-g2")
    assert not judge("replicating", "replicating", "db-g1", "db-g2"), "it was not stranded"
    assert not judge("error", "error", "db-g1", "db-g2")
    assert not judge("error", "replicating", "db-g1", "db-g1")
    assert not judge("error", "replicating", "db-g1")
