"""An operator slept, and another took his lock: he does nothing more and puts nothing back, for it is hers now."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bicoastal.core.errors import Refused
from bicoastal.operate import lock
from bicoastal.operate.act import Acts
from bicoastal.operate.failover import Failover, Wishes
from bicoastal.operate.journal import Journal
from bicoastal.operate.lock import Held, Place
from bicoastal.operate.observe import fleet_of, observe_side
from bicoastal.operate.sight import Gate
from bicoastal.operate.subject import Subject
from bicoastal.operate.switchover import Switchover
from bicoastal.operate.transitions import Step
from tests.operate.kits import EAST, WEST, Kits, SessionWithKits
from tests.support.running import until

HERS = {"who": "ann@elsewhere", "process": 1, "operation": "switchover to us-west-2", "token": "hers"}


@pytest.fixture
def journal(session: SessionWithKits, subject: Subject, tmp_path: Path) -> Journal:
    side = observe_side(session, subject, WEST, kinds=("foundation",))
    return Journal(session, WEST, side.output("foundation", "ArtifactBucket"), "failover", tmp_path)


@pytest.fixture
def held(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    """The lock, last renewed longer ago than its lease."""
    monkeypatch.setattr(lock, "LEASE_S", 0.0)
    with lock.held(Place(journal.session, WEST, journal.bucket), "failover") as found:
        yield found
    journal.session.client("s3", WEST).delete_object(Bucket=journal.bucket, Key=lock.LOCK)


def begun(journal: Journal) -> list[str]:
    return [item["step"] for item in map(json.loads, journal.lines) if item["what"] == "begins"]


def when(moment: Callable[[], bool], journal: Journal) -> Callable[[], None]:
    """At that moment of what the kits hear, it is her turn."""
    came: list[bool] = []

    def hears() -> None:
        if not came and moment():
            came.append(True)
            s3 = journal.session.client("s3", WEST)
            s3.put_object(Bucket=journal.bucket, Key=lock.LOCK, Body=json.dumps(HERS).encode())

    return hears


@pytest.mark.parametrize("in_step", [Step.AWAIT_READERS, Step.AWAIT_REPLAY])
def test_a_switchover_is_not_undone(kits: Kits, subject: Subject, journal: Journal, held: Held, in_step: Step) -> None:
    session = SessionWithKits.of(kits)
    kits.ran.clear()
    switchover = Switchover(session, subject, region=WEST, journal=journal, tell=lambda _: None, drain_s=1)
    switchover.replay_s = 0.5  # which is over without the fence having come: the step fails, and would be undone
    switchover.lock = held
    kits.deaf = True
    kits.hears = when(lambda: (EAST, "fence") in kits.ran and begun(journal)[-1] == in_step, journal)
    try:
        with pytest.raises(Refused, match="was taken by ann@elsewhere"):
            switchover.run()
    finally:
        kits.hears, kits.deaf = None, False
    assert begun(journal)[-1] == in_step
    assert (EAST, "unfence") not in kits.ran
    west, east = (observe_side(session, subject, region) for region in (WEST, EAST))
    assert (west.gate, west.role, west.alone) == (Gate.CLOSED, "replica", False)
    assert east.kit is not None
    assert east.kit.fence is not None
    Switchover(session, subject, region=EAST, journal=journal, tell=lambda _: None).run()  # the way back
    west = observe_side(session, subject, WEST)
    assert (west.gate, west.switch, west.role, west.alone) == (Gate.OPEN, "off", "replica", False)


def test_a_failover_that_its_guard_refuses_later_opens_no_gate(
    kits: Kits, subject: Subject, journal: Journal, held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reads outlast the drain; by then the closed gate is hers."""
    monkeypatch.setattr("bicoastal.operate.failover.lag_of", lambda *_: 0.0)
    kits.lost.add(EAST)
    kits.reading[WEST] = 1
    session = SessionWithKits.of(kits)
    failover = Failover(session, subject, Wishes(0.5), region=WEST, journal=journal, tell=lambda _: None)
    failover.lock = held
    kits.hears = when(lambda: begun(journal)[-1:] == [Step.AWAIT_READERS], journal)
    try:
        with pytest.raises(Refused, match="was taken by ann@elsewhere"):
            failover.run()
    finally:
        kits.hears = None
        kits.lost.clear()
        kits.reading.clear()
    west = observe_side(session, subject, WEST)
    assert west.gate is Gate.CLOSED
    Acts(session, subject, WEST, lambda _: None).set_gate(west, Gate.OPEN)


def test_a_failover_does_not_fence_who_is_the_primary_by_now(
    kits: Kits, subject: Subject, journal: Journal, held: Held
) -> None:
    """Last: there is no way back from a promotion. The lost region answers again, and the thread beside still asks."""
    kits.ran.clear()
    kits.lost.add(EAST)
    session = SessionWithKits.of(kits)
    failover = Failover(session, subject, Wishes(1.0, "a rehearsal"), region=WEST, journal=journal, tell=lambda _: None)
    failover.lock = held

    def promoted() -> bool:
        if begun(journal)[-1:] != [Step.RAISE_EPOCH]:
            return False
        kits.lost.clear()
        return True

    def told() -> bool:
        return any("was taken by ann@elsewhere" in line for line in failover.report.beside)

    turn = when(promoted, journal)

    def hears() -> None:
        turn()
        if not kits.lost and not told():
            until("what runs beside has noticed", told)

    kits.hears = hears
    try:
        with pytest.raises(Refused, match="was taken by ann@elsewhere"):
            failover.run()
    finally:
        kits.hears = None
        kits.lost.clear()
    assert begun(journal)[-1] == Step.RAISE_EPOCH
    fleet = fleet_of(session, subject, EAST)
    assert fleet is not None
    assert fleet.most > 0, "its servers were not taken away"
