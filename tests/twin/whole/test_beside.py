"""Another application on a twin of its own, beside the sample's; its replica is promoted by a stack update."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from tests.support.running import EAST, WEST, Running, running, until
from tests.twin.whole.conftest import other_application

pytestmark = pytest.mark.xdist_group("twin")


@pytest.fixture(scope="module")
def beside() -> Iterator[Running]:
    with running(other_application, "--pace", "fast") as made:
        yield made


def test_another_framework_runs_as_well(beside: Running) -> None:
    assert beside.ask(WEST, "POST", "/", body="from the west").status == 200
    assert beside.get(EAST).json == {"region": EAST, "notes": ["from the west"]}
    until("the note is in the west's replica", lambda: beside.get(WEST).json["notes"] == ["from the west"])


def test_killed_without_warning_it_goes_on_with_every_row(beside: Running) -> None:
    assert beside.ask(EAST, "POST", "/", body="before the kill").status == 200
    os.kill(beside.pid, signal.SIGKILL)
    until("nothing of it runs", lambda: beside.processes("") == [], 30)
    beside.up("--pace", "fast")
    assert "before the kill" in beside.get(EAST).json["notes"]
    until("the west has it, too", lambda: "before the kill" in beside.get(WEST).json["notes"])


def test_a_stack_update_promotes_the_replica(beside: Running) -> None:
    """Last in this file: there are two primaries from here on."""
    stack = "notes-production-database"
    known = beside.aws("cloudformation", "describe-stacks", "--stack-name", stack, region=WEST)["Stacks"][0][
        "Parameters"
    ]
    parameters = [
        {"ParameterKey": item["ParameterKey"], "ParameterValue": "primary"}
        if item["ParameterKey"] == "DatabaseRole"
        else {"ParameterKey": item["ParameterKey"], "UsePreviousValue": True}
        for item in known
    ]
    cloudformation = beside.client("cloudformation", WEST)
    cloudformation.update_stack(
        StackName=stack,
        UsePreviousTemplate=True,
        DisableRollback=True,
        Parameters=parameters,
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    until(
        "the stack is updated",
        lambda: cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"] == "UPDATE_COMPLETE",
    )
    database = beside.database(WEST)
    assert not database.get("ReadReplicaSourceDBInstanceIdentifier")
    assert database["DBInstanceStatus"] == "available"
    until("the west's own database takes its rows", lambda: beside.ask(WEST, "POST", "/", body="alone").status == 200)
    until("the west has them", lambda: "alone" in beside.get(WEST).json["notes"])
    assert "alone" not in beside.get(EAST).json["notes"]
