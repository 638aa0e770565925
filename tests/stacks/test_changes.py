"""Proposals: read as CloudFormation makes them, and what of them is made anew."""

from __future__ import annotations

from bicoastal.aws.session import Session
from bicoastal.stacks.changes import PropertyChange, ResourceChange, discard, propose, replaced
from bicoastal.stacks.view import view
from tests.stacks.conftest import desired

TOPIC = {"Topic": {"Type": "AWS::SNS::Topic"}}


def _doubt(name: str, prop: str, cause: str) -> ResourceChange:
    return ResourceChange(
        "Modify", name, "AWS::Some::Type", "id", "Conditional", (PropertyChange(prop, "Always", cause),)
    )


def _stays(name: str) -> ResourceChange:
    return ResourceChange("Modify", name, "AWS::KMS::Key", "id", "False", (PropertyChange("Tags", "Never"),))


def test_the_arn_of_a_key_that_stays_replaces_nothing() -> None:
    assert replaced([_stays("Key"), _doubt("Vault", "EncryptionKeyArn", "Key.Arn")]) == {}


def test_the_doubt_stands_where_the_cause_is_made_anew_through_any_number_of_steps() -> None:
    key = ResourceChange("Modify", "Key", "AWS::KMS::Key", "id", "True", (PropertyChange("KeySpec", "Always"),))
    changes = [_doubt("Selection", "Vault", "Vault"), key, _doubt("Vault", "EncryptionKeyArn", "Key.Arn")]
    assert replaced(changes) == {"Key": True, "Selection": False, "Vault": False}


def test_the_doubt_stands_for_a_parameter_an_edit_and_another_attribute() -> None:
    for cause in ("Generation", "", "Key.LatestVersion"):
        assert replaced([_stays("Key"), _doubt("Instance", "Identifier", cause)]) == {"Instance": False}


def test_a_proposal_of_a_stack_that_is_not_there_leaves_nothing_when_it_is_discarded(
    session: Session, name: str
) -> None:
    proposal = propose(session, desired(name, TOPIC), None)
    assert proposal.creates
    assert [(change.action, change.logical_id) for change in proposal.changes] == [("Add", "Topic")]
    discard(session, proposal)
    assert view(session, name, "us-east-1") is None
