"""A deployment in a process of its own: killed at any point, cut off, throttled; the next run carries on."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from bicoastal.deploy.deployment import Wishes, deploy
from bicoastal.deploy.moments import quiet
from tests.deploy.conftest import Bench
from tests.support.flaky_proxy import Answer, flaky_proxy, throttled, unavailable
from tests.support.small_deployment import HOME, STANDBY, waits

PROGRAM = """
import sys, threading
from bicoastal.aws.session import Session
from bicoastal.deploy.deployment import Wishes, deploy
from tests.support.small_deployment import SmallDeployment, waits

small = SmallDeployment(sys.argv[1])
small.network["Slow"] = waits(60)

def tell(moment):
    # In one piece: regions are deployed by several threads.
    sys.stdout.write(f"{type(moment).__name__} {moment.id}\\n")
    sys.stdout.flush()

sys.exit(deploy(Session(), small.package, Wishes(), tell, threading.Event()).exit_code)
"""


def start(bench: Bench) -> subprocess.Popen[str]:
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, **bench.cloud.environment, "PYTHONPATH": str(root)}
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, bench.small.name],
        cwd=root,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.parametrize("at", ["Began foundation", "Ended foundation", "Began network", "Happened network"])
def test_killed_anywhere_the_next_run_carries_on(bench: Bench, at: str) -> None:
    process = start(bench)
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(line)
        if line.startswith(at):
            process.send_signal(signal.SIGKILL)
            break
    process.wait(timeout=30)
    assert any(line.startswith(at) for line in seen), "".join(seen)
    process.stdout.close()
    bench.small.network["Slow"] = waits(60)
    for region in (HOME, STANDBY):
        threading.Thread(target=bench.signal, args=("network", region, "Slow"), daemon=True).start()
    assert bench.deploy().exit_code == 0
    assert bench.deploy().unchanged


def test_throttling_and_transient_faults_are_retried(bench: Bench) -> None:
    luck, failed = random.Random(7), []

    def interfere(action: str, body: bytes) -> Answer | None:
        del body
        if luck.random() < 0.15:
            failed.append(action)
            return throttled() if luck.random() < 0.5 else unavailable()
        return None

    with flaky_proxy(bench.cloud.url, interfere) as url:
        session = type(bench.cloud)(url).session(attempts=10)
        result = deploy(session, bench.small.package, Wishes(), quiet, threading.Event())
    assert len(failed) > 10
    assert {name: str(outcome.error) for name, outcome in result.outcomes.items() if outcome.error} == {}
    outcomes = {call.outcome for call in session.log.calls}
    assert {"Throttling", "503"} <= outcomes


def test_cut_off_from_aws_it_says_so_and_carries_on_when_it_is_back(bench: Bench) -> None:
    """The network goes after the first change set was executed."""
    gone = threading.Event()

    def interfere(action: str, body: bytes) -> Answer | None:
        del body
        if gone.is_set():
            return unavailable()
        if action == "ExecuteChangeSet":
            gone.set()
        return None

    with flaky_proxy(bench.cloud.url, interfere) as url:
        session = type(bench.cloud)(url).session(attempts=2)
        result = deploy(session, bench.small.package, Wishes(), quiet, threading.Event())
    assert result.exit_code == 3
    told = " ".join(str(outcome.error) for outcome in result.outcomes.values() if outcome.error)
    assert "AWS answered 503" in told
    assert "Run the same command again" in told
    assert bench.deploy().exit_code == 0


def test_the_log_of_calls_is_complete_lines_whoever_writes_at_once(bench: Bench, tmp_path: Path) -> None:
    from bicoastal.aws.calls import CallLog  # noqa: PLC0415 - only here

    file = tmp_path / "calls.jsonl"
    session = bench.cloud.session(log=CallLog(file))
    deploy(session, bench.small.package, Wishes(), quiet, threading.Event())
    calls = [json.loads(line) for line in file.read_text().splitlines()]
    assert len(calls) == len(session.log.calls)
    assert {"ExecuteChangeSet", "CreateChangeSet"} <= {call["action"] for call in calls}
    assert {call["region"] for call in calls} == {HOME, STANDBY}
