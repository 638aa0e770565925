"""A promotion that CloudFormation does not know of, or gave up on: the failover ends right, and the stack with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bicoastal.core.errors import BicoastalError
from bicoastal.operate.failover import Failover, Wishes
from bicoastal.operate.journal import Journal
from bicoastal.operate.observe import observe_side
from bicoastal.operate.subject import Subject
from bicoastal.operate.walk import Report
from bicoastal.stacks.changes import Desired, execute, propose
from bicoastal.stacks.view import StackView, view
from bicoastal.stacks.watch import last_event, settle
from tests.operate.kits import EAST, WEST, Kits, SessionWithKits

STACK = "orders-production-database"


def test_the_instance_stands_alone_and_its_stack_says_replica(
    session: SessionWithKits, kits: Kits, subject: Subject, tmp_path: Path
) -> None:
    session.client("rds", WEST).promote_read_replica(DBInstanceIdentifier="orders-production-db-g1")
    assert _stack(session).parameters["DatabaseRole"] == "replica"
    _promoting_again_fails(session)
    kits.lost.add(EAST)
    report = _failover(session, subject, tmp_path)
    after = _stack(session)
    assert (after.status, after.parameters["DatabaseRole"]) == ("UPDATE_COMPLETE", "primary")
    assert report.epoch == 2
    west = observe_side(session, subject, WEST)
    assert west.alone
    assert west.kit is not None
    assert (west.kit.epoch, west.kit.role) == (2, "primary")
    again = propose(session, Desired.moved(after, DatabaseRole="primary"), after)
    assert again.empty, "nothing is left to do"


def _promoting_again_fails(session: SessionWithKits) -> None:
    """As on AWS: the handler asks RDS to promote what is no replica, and the stack is left where it stopped."""
    before = _stack(session)
    event = last_event(session, STACK, WEST)
    execute(session, propose(session, Desired.moved(before, DatabaseRole="primary"), before), disable_rollback=True)
    after, events = settle(session, STACK, WEST, after=event)
    assert after is not None
    assert after.status == "UPDATE_FAILED"
    assert any("not a read replica" in item.reason for item in events)


def _stack(session: SessionWithKits) -> StackView:
    found = view(session, STACK, WEST)
    assert found is not None
    return found


def _failover(session: SessionWithKits, subject: Subject, folder: Path) -> Report:
    bucket = observe_side(session, subject, WEST, kinds=("foundation",)).output("foundation", "ArtifactBucket")
    journal = Journal(session, WEST, bucket, "failover", folder)
    said: list[str] = []
    try:
        return Failover(session, subject, Wishes(force="a test"), region=WEST, journal=journal, tell=said.append).run()
    except BicoastalError:
        pytest.fail("\n".join(said))
