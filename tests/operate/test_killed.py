"""Every operation is killed before and after each of its steps, and the same operation ends in the same state.

Told in order, for nobody takes a promotion back: us-east-1 is lost and failed over, comes back and rejoins, and is the
primary again by a switchover. Killed means that nothing of the operation runs any more, not even what it would clean
up.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bicoastal.operate.act import Acts
from bicoastal.operate.decide import Progress, rejoin_state
from bicoastal.operate.failover import Failover, Wishes
from bicoastal.operate.journal import Journal
from bicoastal.operate.observe import ALL_KINDS, observe_both, observe_side
from bicoastal.operate.rejoin import Rejoin, survivor
from bicoastal.operate.sight import Gate
from bicoastal.operate.subject import Subject
from bicoastal.operate.switchover import Switchover
from bicoastal.operate.transitions import TABLES, Operation, State, Step
from bicoastal.operate.walk import Walk
from tests.operate.executioner import Executioner, Killed
from tests.operate.kits import EAST, WEST, Kits, SessionWithKits

Make = Callable[[Journal], Walk]


def test_killed_anywhere_it_goes_on(
    session: SessionWithKits, kits: Kits, subject: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It runs beside, and would outlive here who was killed: a switchover that begins anew has not asked so early.
    monkeypatch.setattr(Acts, "raise_epoch_when_promoted", lambda *_: lambda: False)
    usual = {region: _to_the_other_database(session, subject, region) for region in (EAST, WEST)}
    kits.lost.add(EAST)
    _killed_everywhere(Operation.FAILOVER, session, subject, tmp_path, WEST, _failover(session, subject, WEST))
    _west_has_taken_over(session, subject)
    assert set(_to_the_other_database(session, subject, WEST).values()) == {"127.0.0.1/32"}, "it may come back"
    kits.lost.clear()
    kits.databases[EAST, "orders-production-db-g1"].rows.append("written in the east alone")
    _killed_everywhere(Operation.REJOIN, session, subject, tmp_path, WEST, _rejoin(session, subject))
    _both_are_steady(session, subject, WEST, epoch=2)
    listed = list(tmp_path.glob("*-diverged.jsonl"))
    assert listed
    assert all("written in the east alone" in file.read_text() for file in listed)
    assert _to_the_other_database(session, subject, WEST) == usual[WEST]
    _killed_everywhere(Operation.SWITCHOVER, session, subject, tmp_path, EAST, _switchover(session, subject, EAST))
    kept_off = _to_the_other_database(session, subject, EAST)
    assert kept_off.keys() == usual[EAST].keys()
    assert set(kept_off.values()) == {"127.0.0.1/32"}, "a superseded database is read by nobody of the other region"
    _killed_everywhere(Operation.REJOIN, session, subject, tmp_path, EAST, _rejoin(session, subject))
    _both_are_steady(session, subject, EAST, epoch=3)
    assert {region: _to_the_other_database(session, subject, region) for region in (EAST, WEST)} == usual
    names = [
        item["DBInstanceIdentifier"] for item in session.client("rds", EAST).describe_db_instances()["DBInstances"]
    ]
    assert names == ["orders-production-db-g1", "orders-production-db-g2"], "the lost primary is kept"


def _killed_everywhere(  # noqa: PLR0917 - one call for each operation
    operation: Operation, session: SessionWithKits, subject: Subject, folder: Path, region: str, make: Make
) -> None:
    bucket = observe_side(session, subject, region, kinds=("foundation",)).output("foundation", "ArtifactBucket")
    met: set[tuple[str, Step]] = set()
    while True:
        try:
            make(Executioner(session, region, bucket, operation.value, folder, met=met)).run()
            break
        except Killed:
            continue
    expected = {row.step for row in TABLES[operation]} - {Step.DONE, *_NOT_SEEN}
    assert {step for what, step in met if what == "begins"} >= expected
    assert {step for what, step in met if what == "done"} >= expected


_NOT_SEEN = (Step.AWAIT_READERS, Step.AWAIT_PROMOTION, Step.AWAIT_STREAMING, Step.RESTORE_TAGS)
"""Steps that an operation which begins anew finds done: nobody reads, and what the control plane does is at once."""


def _failover(session: SessionWithKits, subject: Subject, region: str) -> Make:
    return lambda journal: Failover(
        session, subject, Wishes(force="a test"), region=region, journal=journal, tell=_quiet
    )


def _switchover(session: SessionWithKits, subject: Subject, region: str) -> Make:
    return lambda journal: Switchover(session, subject, region=region, journal=journal, tell=_quiet)


def _rejoin(session: SessionWithKits, subject: Subject) -> Make:
    return lambda journal: Rejoin(session, subject, region=survivor(session, subject), journal=journal, tell=_quiet)


def _west_has_taken_over(session: SessionWithKits, subject: Subject) -> None:
    west = observe_side(session, subject, WEST)
    assert west.alone
    assert west.role == "primary"
    assert west.switch == west.parameter("service", "Switch") == "on:2;"
    assert west.gate is Gate.OPEN
    assert west.kit is not None
    assert (west.kit.role, west.kit.epoch, west.kit.fence) == ("primary", 2, None)


def _to_the_other_database(session: SessionWithKits, subject: Subject, region: str) -> dict[str, str]:
    """The rules of the servers' group that lead to addresses by PostgreSQL's port: the other region's database."""
    group = observe_side(session, subject, region, kinds=("network",)).output("network", "FleetGroup")
    found = session.client("ec2", region).describe_security_group_rules(
        Filters=[{"Name": "group-id", "Values": [group]}]
    )["SecurityGroupRules"]
    rules = [rule for rule in found if rule["IsEgress"] and rule["FromPort"] == 5432 and "CidrIpv4" in rule]
    assert rules
    return {rule["SecurityGroupRuleId"]: rule["CidrIpv4"] for rule in rules}


def _both_are_steady(session: SessionWithKits, subject: Subject, region: str, *, epoch: int) -> None:
    seen = observe_both(session, subject, region, kinds=ALL_KINDS)
    assert rejoin_state(seen, Progress(tagged=True)) is State.PROTECTED
    assert seen.here.kit is not None
    assert (seen.here.kit.epoch, seen.here.kit.fence) == (epoch, None)
    assert seen.there.role == "replica"
    assert (seen.here.gate, seen.there.gate) == (Gate.OPEN, Gate.OPEN)
    assert (seen.here.switch, seen.there.switch) == ("off", "off")


def _quiet(_: str) -> None:
    """Nobody listens."""
