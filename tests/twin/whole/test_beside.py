"""Another application on a twin of its own, beside the sample's; it is failed over by the runbook's lines."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from bicoastal.operate.transitions import Operation
from tests.support.running import BIN, EAST, WEST, Running, running, until
from tests.twin.whole.conftest import other_application
from tools.runbook import PAGE, lines_of


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


def test_the_runbooks_lines_fail_over(beside: Running) -> None:
    """Last in this file: the west is the primary from here on. A person pastes them, and nothing of Bicoastal runs."""
    lines = "\n".join(lines_of(PAGE.read_text(), Operation.FAILOVER))
    done = subprocess.run(
        ["sh", "-eu", "-c", f'eval "$TWIN"\n{lines}'],
        env={
            **os.environ,
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "TWIN": beside.bicoastal("env").stdout,
            "APPLICATION": "notes",
            "REGION": WEST,
            "OTHER": "a region that nobody asks",
            "FAILOVER_TAGS": "mode=failover",
            "DRAIN_S": "1",
            "FENCE_S": "3",
        },
        cwd=beside.home.parent,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    database = beside.database(WEST)
    assert not database.get("ReadReplicaSourceDBInstanceIdentifier")
    assert database["DBInstanceStatus"] == "available"
    tags = beside.client("rds", WEST).list_tags_for_resource(ResourceName=database["DBInstanceArn"])["TagList"]
    assert {"Key": "mode", "Value": "failover"} in tags
    until("the west's own database takes its rows", lambda: beside.ask(WEST, "POST", "/", body="alone").status == 200)
    until("the west has them", lambda: "alone" in beside.get(WEST).json["notes"])
    stacks = {
        kind: {item["ParameterKey"]: item["ParameterValue"] for item in _stack(beside, kind)["Parameters"]}
        for kind in ("database", "service", "backup")
    }
    assert (stacks["database"]["DatabaseRole"], stacks["backup"]["DatabaseRole"]) == ("primary", "primary")
    assert (stacks["service"]["Switch"], stacks["service"]["ReadGate"]) == ("on:2;", "open")
    assert _switch(beside) == "on:2;"


def _stack(beside: Running, kind: str) -> Any:
    stacks = beside.client("cloudformation", WEST).describe_stacks(StackName=f"notes-production-{kind}")["Stacks"]
    assert stacks[0]["StackStatus"] == "UPDATE_COMPLETE"
    return stacks[0]


def _switch(beside: Running) -> Any:
    """What the balancer says at the switch's path, by its own rule."""
    client = beside.client("elbv2", WEST)
    (listener,) = (
        item
        for balancer in client.describe_load_balancers()["LoadBalancers"]
        for item in client.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
        if item["Protocol"] == "HTTPS"
    )
    rules = client.describe_rules(ListenerArn=listener["ListenerArn"])["Rules"]
    return next(rule for rule in rules if rule["Priority"] == "1")["Actions"][0]["FixedResponseConfig"]["MessageBody"]
