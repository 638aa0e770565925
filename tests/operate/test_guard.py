"""The guard refuses in each of its cases and leaves everything as it was; --force goes on, for the record."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bicoastal.core.errors import Refused, SystemFault
from bicoastal.operate.decide import Doubt
from bicoastal.operate.failover import Failover, Wishes
from bicoastal.operate.journal import Journal
from bicoastal.operate.observe import observe_side
from bicoastal.operate.sight import Gate
from bicoastal.operate.subject import Subject
from bicoastal.operate.switchover import Switchover
from tests.operate.kits import EAST, WEST, Kits, SessionWithKits


@pytest.fixture
def lost(kits: Kits) -> Iterator[Kits]:
    """us-east-1 is lost, and nothing reads in the west."""
    kits.lost.add(EAST)
    yield kits
    kits.lost.clear()
    kits.reading.clear()


@pytest.fixture
def bucket(session: SessionWithKits, subject: Subject) -> str:
    return observe_side(session, subject, WEST, kinds=("foundation",)).output("foundation", "ArtifactBucket")


@pytest.fixture
def journal(session: SessionWithKits, bucket: str, tmp_path: Path) -> Journal:
    return Journal(session, WEST, bucket, "failover", tmp_path)


def _failover(journal: Journal, subject: Subject, **wishes: Any) -> Failover:
    def quiet(_: str) -> None:
        """Nobody listens."""

    return Failover(journal.session, subject, Wishes(**wishes), region=WEST, journal=journal, tell=quiet)


def _as_it_was(session: SessionWithKits, subject: Subject) -> None:
    west = observe_side(session, subject, WEST)
    assert (west.gate, west.switch, west.role, west.alone) == (Gate.OPEN, "off", "replica", False)


@pytest.mark.usefixtures("kits")
def test_home_is_alive(session: SessionWithKits, subject: Subject, journal: Journal) -> None:
    with pytest.raises(Refused, match=r"home is alive: .*switchover --to us-west-2"):
        _failover(journal, subject).run()
    _as_it_was(session, subject)


@pytest.mark.usefixtures("lost")
def test_how_far_behind_it_was_is_unknown(session: SessionWithKits, subject: Subject, journal: Journal) -> None:
    """No data is no proof of being up to date."""
    with pytest.raises(Refused, match=r"lag: .*unknown; the promise is 30 s") as refused:
        _failover(journal, subject).run()
    assert '--force "REASON"' in str(refused.value)
    _as_it_was(session, subject)


def test_reads_that_outlast_the_drain(session: SessionWithKits, lost: Kits, subject: Subject, journal: Journal) -> None:
    lost.reading[WEST] = 3
    # Lag is overridden by nothing here: what comes after the drain is asked with all the rest.
    with pytest.raises(Refused, match="lag"):
        _failover(journal, subject, drain_s=1).run()
    _state, found = _failover(journal, subject).plan()
    assert {item.doubt for item in found} == {Doubt.LAG, Doubt.READS}
    _as_it_was(session, subject)


def test_a_replica_that_is_backed_up(session: SessionWithKits, lost: Kits, subject: Subject, journal: Journal) -> None:
    lost.status[WEST] = "backing-up"
    try:
        with pytest.raises(Refused, match=r"backup: .*window is 10:00-10:30 UTC"):
            _failover(journal, subject).run()
    finally:
        lost.status.clear()
    _as_it_was(session, subject)


def test_reads_are_unknown_to_a_switchover(
    session: SessionWithKits, kits: Kits, subject: Subject, journal: Journal
) -> None:
    kits.reading[WEST] = 1
    said: list[str] = []
    switchover = Switchover(session, subject, region=WEST, journal=journal, tell=said.append, drain_s=1)
    try:
        with pytest.raises(Refused, match="1 sessions still read"):
            switchover.run()
    finally:
        kits.reading.clear()
    _as_it_was(session, subject)
    assert any("everything is as it was" in line for line in said)
    east = observe_side(session, subject, EAST)
    assert east.kit is not None
    assert east.kit.fence is None


def test_a_read_that_lasts_does_not_stop_writes(
    session: SessionWithKits, kits: Kits, subject: Subject, journal: Journal
) -> None:
    """Nobody was reading when it began, so that writes were stopped at once: they go on until the read has ended."""
    kits.ran.clear()

    def hears() -> None:
        asked = kits.ran.count((WEST, "status")) > 1
        if (EAST, "unfence") in kits.ran:
            kits.reading.clear()
        elif asked:
            kits.reading[WEST] = 1

    kits.hears, kits.deaf = hears, True
    said: list[str] = []
    try:
        switchover = Switchover(session, subject, region=WEST, journal=journal, tell=said.append)
        switchover.replay_s = 0.5
        with pytest.raises(SystemFault, match="replay the fence"):
            switchover.run()
    finally:
        kits.hears, kits.deaf = None, False
        kits.reading.clear()
    done = [verb for region, verb in kits.ran if region == EAST and verb != "status"]
    assert done == ["fence", "unfence", "fence", "unfence"], "again when nobody reads any more, and for nothing then"
    assert any("reads last long in us-west-2: writes go on" in line for line in said)
    _as_it_was(session, subject)
    east = observe_side(session, subject, EAST)
    assert east.kit is not None
    assert (east.kit.role, east.kit.epoch, east.kit.fence) == ("primary", 1, None)


def test_a_switchover_that_cannot_promote_lets_the_primary_write_again(
    session: SessionWithKits, kits: Kits, subject: Subject, journal: Journal
) -> None:
    kits.deaf = True  # the fence never reaches the replica
    said: list[str] = []
    switchover = Switchover(session, subject, region=WEST, journal=journal, tell=said.append)
    switchover.replay_s = 0.5
    try:
        with pytest.raises(Exception, match="replay the fence"):
            switchover.run()
    finally:
        kits.deaf = False
    _as_it_was(session, subject)
    east = observe_side(session, subject, EAST)
    assert east.kit is not None
    assert (east.kit.role, east.kit.epoch, east.kit.fence) == ("primary", 1, None)
    assert "fence" in [verb for region, verb in kits.ran if region == EAST]


@pytest.mark.usefixtures("lost")
def test_what_is_overridden_is_in_the_audit(subject: Subject, journal: Journal) -> None:
    """Last: there is no way back from a promotion."""
    report = _failover(journal, subject, force="INC-42: the wire is cut").run()
    assert [item.doubt for item in report.overridden] == [Doubt.LAG]
    (line,) = [json.loads(item) for item in journal.lines if json.loads(item)["what"] == "overridden"]
    assert line["reason"] == "INC-42: the wire is cut"
    assert line["doubt"] == "lag"
    assert "@" in line["who"]
    assert line["at"]
