"""What comes next, from what was seen; and what the guard refuses."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bicoastal.operate.decide import (
    Doubt,
    Progress,
    lag_at_last_contact,
    objections,
    rejoin_state,
    state_of,
    switchover_state,
    target_epoch,
)
from bicoastal.operate.kit import read
from bicoastal.operate.sight import Gate, Instance, Kit, Observation, Side
from bicoastal.operate.transitions import State
from bicoastal.stacks.view import StackView

WEST, EAST = "us-west-2", "us-east-1"


def kit(**changes: object) -> Kit:
    """Of a replica whose primary was lost a minute ago."""
    base = Kit(
        instance="i-1",
        role="replica",
        epoch=1,
        fence=None,
        fenced=False,
        heartbeat_age_s=60.0,
        reading=0,
        receiver="stopped",
        last_contact_s=None,
        received_lsn="0/3000",
        replayed_lsn="0/3000",
        unreplayed_bytes=0.0,
        witness_epoch=1,
        isolation_s=15.0,
        second_s=1.0,
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def primary(**changes: object) -> Kit:
    """The same, once it is promoted."""
    return kit(**{"role": "primary", "receiver": None, "heartbeat_age_s": 0.5, **changes})


def stack(status: str = "UPDATE_COMPLETE", **parameters: str) -> StackView:
    return StackView("id", "orders-production-x", WEST, status, "", parameters, {}, {}, True)


def west(**changes: object) -> Side:
    """The survivor before a failover."""
    base = Side(
        WEST,
        answered=True,
        stacks={
            "database": stack(DatabaseRole="replica"),
            "service": stack(Switch="off", ReadGate="open"),
            "backup": stack(DatabaseRole="replica"),
        },
        instance=Instance("db-g1", "arn:west", "available", "arn:east", "127.0.0.1", "us-west-2a", True, "10:00-10:30"),
        switch="off",
        gate=Gate.OPEN,
        kit=kit(),
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def seen(here: Side, there: Side | None = None) -> Observation:
    return Observation(here, there or Side(EAST, answered=False, why="no answer"), 0.0)


REPLICA = Instance("db-g1", "arn:west", "available", "arn:east", "127.0.0.1", "us-west-2a", True, "10:00-10:30")
ALONE = replace(REPLICA, source="")


@pytest.mark.parametrize(
    ("here", "progress", "state"),
    [
        (west(), Progress(), State.SERVING),
        (west(gate=Gate.CLOSED, kit=kit(reading=2)), Progress(), State.DRAINING),
        (west(gate=Gate.CLOSED, kit=None), Progress(), State.DRAINING),
        (west(gate=Gate.CLOSED), Progress(), State.DRAINED),
        (west(gate=Gate.CLOSED, kit=kit(reading=2)), Progress(drained=True), State.DRAINED),
        (west(gate=Gate.CLOSED, switch="on:2;"), Progress(), State.SWITCHED),
        (west(gate=Gate.CLOSED, switch="on:2;"), Progress(fence_awaited=True), State.CUT_OFF),
        (west(gate=Gate.CLOSED, switch="on:1;"), Progress(), State.DRAINED),
        (west(stacks={"database": stack("UPDATE_IN_PROGRESS")}, switch="on:2;"), Progress(), State.PROMOTING),
        (west(instance=replace(ALONE, status="rebooting"), switch="on:2;", kit=None), Progress(), State.PROMOTED),
        (west(instance=ALONE), Progress(), State.DRAINED),
        (west(instance=ALONE, switch="on:2;"), Progress(), State.PROMOTED),
        (west(instance=ALONE, switch="on:2;", kit=primary(epoch=2, fence="superseded")), Progress(), State.PROMOTED),
        (west(instance=ALONE, switch="on:2;", gate=Gate.CLOSED, kit=primary(epoch=2)), Progress(), State.WRITABLE),
        (west(instance=ALONE, switch="on:2;", kit=primary(epoch=2)), Progress(proven=True), State.OPEN),
    ],
)
def test_the_state_is_read_from_what_is(here: Side, progress: Progress, state: State) -> None:
    assert state_of(seen(here), progress) is state


@pytest.mark.parametrize(
    ("here", "progress", "state"),
    [
        (west(), Progress(), State.SERVING),
        (west(), Progress(prepared=True), State.PREPARED),
        (west(gate=Gate.CLOSED), Progress(prepared=True), State.DRAINED),
        (west(gate=Gate.CLOSED, instance=replace(ALONE, status="rebooting"), kit=None), Progress(), State.PROMOTED),
        # Reads come first; of a killed one nobody knows whether a write was seen to work.
        (west(gate=Gate.CLOSED, instance=ALONE, kit=primary(epoch=2)), Progress(proven=True), State.PROMOTED),
        (west(instance=ALONE, kit=primary(epoch=1, fence="switchover to us-west-2")), Progress(), State.READABLE),
        (west(instance=ALONE, kit=primary(epoch=2)), Progress(), State.READABLE),
        (west(instance=ALONE, kit=primary(epoch=2)), Progress(proven=True), State.OPEN),
        (west(instance=ALONE, switch="on:2;", kit=primary(epoch=2)), Progress(proven=True), State.ANNOUNCED),
    ],
)
def test_the_state_of_a_planned_move(here: Side, progress: Progress, state: State) -> None:
    assert switchover_state(seen(here), progress) is state


def test_what_is_recorded_is_moved_when_its_tags_are_so() -> None:
    here = west(
        instance=ALONE,
        switch="on:2;",
        kit=primary(epoch=2),
        stacks={
            "database": stack(DatabaseRole="primary"),
            "service": stack(Switch="on:2;", ReadGate="open"),
            "backup": stack(DatabaseRole="primary"),
        },
    )
    assert state_of(seen(here), Progress(proven=True)) is State.RECORDED
    assert state_of(seen(here), Progress(proven=True, tagged=True)) is State.MOVED


@pytest.mark.parametrize(
    ("switch", "epoch", "target"),
    [("off", 1, 2), ("on:2;", 1, 2), ("on:2;", 2, 2), ("on:1;", 2, 3), ("on:2;", None, 2), ("off", None, None)],
)
def test_the_epoch_that_a_takeover_begins(switch: str, epoch: int | None, target: int | None) -> None:
    assert target_epoch(west(switch=switch, kit=None if epoch is None else kit(epoch=epoch))) == target


@pytest.mark.parametrize(
    ("here", "lag", "doubt"),
    [
        (west(kit=kit(reading=3)), 0.5, Doubt.READS),
        (west(kit=None, kit_unknown="no instance"), 0.5, Doubt.READS),
        (west(), 61.0, Doubt.LAG),
        (west(), None, Doubt.LAG),
        (west(instance=replace(REPLICA, status="backing-up")), 0.5, Doubt.BACKUP),
        (west(kit=kit(receiver="streaming", heartbeat_age_s=0.8)), 0.5, Doubt.HOME_ALIVE),
        (west(stacks={"service": stack("UPDATE_IN_PROGRESS")}), 0.5, Doubt.CHANGE),
    ],
)
def test_the_guard_refuses(here: Side, lag: float | None, doubt: Doubt) -> None:
    assert [item.doubt for item in objections(seen(here), lag_s=lag, budget_s=60)] == [doubt]


def test_the_guard_has_nothing_against_a_lost_primary() -> None:
    assert objections(seen(west()), lag_s=0.7, budget_s=60) == ()


def test_a_primary_that_takes_writes_behind_a_cut_wire_is_alive() -> None:
    there = Side(EAST, answered=True, kit=kit(role="primary"))
    assert [item.doubt for item in objections(seen(west(), there), lag_s=0.7, budget_s=60)] == [Doubt.HOME_ALIVE]
    fenced = Side(EAST, answered=True, kit=kit(role="primary", fence="isolated"))
    assert objections(seen(west(), fenced), lag_s=0.7, budget_s=60) == ()


@pytest.mark.parametrize(
    ("ages", "heard", "lag"),
    [
        # Lost 30 s into the third minute; the figures go on for as long as nobody decides.
        ([0.5, 0.6, 0.5, 30.5, 90.5, 150.5], 150.0, 0.5),
        # Far behind all the while: the newest heartbeat here is a minute and a half older than the loss.
        ([90.0, 91.0, 90.0, 150.0], 60.0, 92.0),
        ([90.0, 90.0, 90.0, 150.0], 60.0, 90.0),
        # Ever further behind.
        ([10.0, 40.0, 70.0, 130.0], 130.0, 100.0),
        ([0.5], 30.0, 0.5),
        ([], 30.0, None),
        # Nothing is kept from before the loss.
        ([90.5, 150.5], -30.0, None),
    ],
)
def test_the_lag_is_that_of_the_last_contact(ages: list[float], heard: float, lag: float | None) -> None:
    assert lag_at_last_contact([(60.0 * minute, age) for minute, age in enumerate(ages)], heard) == lag


@pytest.mark.parametrize(("slots", "state"), [
    ([{"other_region": True, "state": None, "wal_status": "lost"}], State.LISTED),
    ([{"other_region": True, "state": None, "wal_status": "reserved"}], State.BUILT),
    # The next generation's slot beside that of the stranded one.
    ([{"other_region": True, "wal_status": "lost"}, {"other_region": True, "wal_status": "reserved"}], State.BUILT),
    ([{"other_region": True, "wal_status": "lost"}, {"other_region": True, "state": "streaming"}], State.STREAMING),
    ([{"other_region": False, "wal_status": "lost"}], State.BUILT),
    ([], State.BUILT),
])  # fmt: skip
def test_a_replica_whose_wal_is_gone_is_built_anew(slots: list[dict[str, object]], state: State) -> None:
    kit = read({"database": {"role": "primary", "epoch": 1, "slots": slots}}, 0.0)
    here = Side(EAST, answered=True, instance=replace(REPLICA, source=""), kit=kit)
    there = west(stacks={"database": stack(DatabaseRole="replica"), "service": stack(DatabaseHost="another")})
    assert rejoin_state(Observation(here, there, 0.0), Progress()) is state
