"""What an earlier operation left is waited for, continued or cleaned up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from bicoastal.aws.session import Session
from bicoastal.core.errors import Refused
from bicoastal.stacks.changes import execute, propose, protect
from bicoastal.stacks.recovery import make_ready, remove
from bicoastal.stacks.view import view
from bicoastal.stacks.watch import first_cause, last_event, settle
from tests.stacks.conftest import desired
from tests.support.small_deployment import waits

TOPIC = {"Topic": {"Type": "AWS::SNS::Topic"}}
HOME = "us-east-1"


def create(session: Session, name: str, resources: Mapping[str, Any]) -> None:
    proposal = propose(session, desired(name, dict(resources)), make_ready(session, name, HOME))
    before = last_event(session, name, HOME)
    execute(session, proposal)
    settle(session, name, HOME, after=before)


def test_nothing_there_is_ready(session: Session, name: str) -> None:
    assert make_ready(session, name, HOME) is None


def test_a_creation_that_failed_is_deleted_and_said(session: Session, name: str) -> None:
    create(session, name, {**TOPIC, "Never": waits(1)})
    failed = view(session, name, HOME)
    assert failed is not None
    assert failed.status == "ROLLBACK_COMPLETE"
    told: list[str] = []
    assert make_ready(session, name, HOME, note=told.append) is None
    assert told == ["is ROLLBACK_COMPLETE from an earlier operation: deleting it, to create it anew"]
    assert view(session, name, HOME) is None


def test_the_first_cause_is_the_resource_that_failed_not_those_that_were_cancelled(session: Session, name: str) -> None:
    create(session, name, {**TOPIC, "Never": waits(1), "Slow": waits(60)})
    stack = view(session, name, HOME)
    assert stack is not None
    _, events = settle(session, stack.id, HOME, after="")
    cause = first_cause(events)
    assert cause is not None
    assert cause.logical_id == "Never"


def test_a_protected_stack_is_not_removed(session: Session, name: str) -> None:
    create(session, name, TOPIC)
    protect(session, name, HOME, on=True)
    stack = view(session, name, HOME)
    assert stack is not None
    with pytest.raises(Refused, match="no-enable-termination-protection"):
        remove(session, stack)
    protect(session, name, HOME, on=False)
    unprotected = view(session, name, HOME)
    assert unprotected is not None
    remove(session, unprotected)
    assert view(session, name, HOME) is None
