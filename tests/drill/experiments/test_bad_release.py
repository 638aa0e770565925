"""Bad releases, made of a bundle and judged on what was made up."""

from __future__ import annotations

import http.client
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bicoastal.blueprint.bundle import application_bundle, version_of
from bicoastal.blueprint.service.balancer import HEALTH_TIMEOUT_S
from bicoastal.drill.experiment import Run
from bicoastal.drill.experiments import bad_release
from bicoastal.spec.load import load
from bicoastal.twin.pace import FAST
from tests.drill.entries import read
from tests.drill.made import FAULT, evidence, run
from tests.support.running import sample, until

STOPPED = {"code": 3, "seconds": 50.0, "said": ["Rolled back: Fleet, LaunchTemplate put back."]}
DEPLOYED = {"code": 0, "seconds": 20.0, "said": ["4 done."]}


@pytest.fixture
def playing(tmp_path: Path) -> Any:
    """A run whose stage has a bundle."""
    spec = sample(tmp_path)
    content = application_bundle(tmp_path / "app")
    package = SimpleNamespace(artifacts={"application": SimpleNamespace(content=content)})
    (tmp_path / "stage").mkdir()
    stage = SimpleNamespace(package=package, folder=tmp_path / "stage", script=SimpleNamespace(spec=spec), pace=FAST)
    return SimpleNamespace(stage=stage, bundle=content)


def test_a_release_without_a_change_is_the_version_that_runs(playing: Any) -> None:
    spec = bad_release.release(playing, "old", bad_release.as_it_is)
    made = load(spec)
    assert made.app.build is None
    assert made.app.command == load(playing.stage.script.spec).app.command
    assert version_of(application_bundle(spec.parent / "app")) == version_of(playing.bundle)


@pytest.mark.parametrize("change", [bad_release._unwell, bad_release._slow, bad_release._mortal])
def test_a_bad_release_is_another_command_of_a_whole_spec(playing: Any, change: bad_release.Change) -> None:
    spec = load(bad_release.release(playing, "bad", change))
    assert spec.app.command != load(playing.stage.script.spec).app.command


def test_a_mortal_one_lives_for_its_time(playing: Any) -> None:
    """At the fast pace 60 s, here made shorter: its whole command is killed, whatever the shell made of it."""
    command = bad_release._mortal(playing, "sleep 30; echo 'still there'")
    assert "--signal=KILL 60 " in command
    done = subprocess.run(
        ["/bin/sh", "-c", command.replace("KILL 60", "KILL 0.2")], capture_output=True, timeout=10, check=False
    )
    assert done.returncode != 0
    assert b"still there" not in done.stdout


def test_a_slow_one_answers_later_than_the_balancer_waits(playing: Any) -> None:
    command = bad_release._slow(playing, "").replace("python3.11", sys.executable)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {"HOST": "127.0.0.1", "PORT": str(port), "PATH": "/usr/bin:/bin"}
    with subprocess.Popen(["/bin/sh", "-c", command], env=environment, stderr=subprocess.DEVNULL) as program:
        try:
            until("it listens", lambda: _listens(port), 20)
            began = time.monotonic()
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            connection.request("GET", "/healthz")
            assert connection.getresponse().status == 200
            assert time.monotonic() - began > playing.stage.pace.seconds(HEALTH_TIMEOUT_S)
            connection.close()
        finally:
            program.kill()


def _listens(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), 1):
        return True


def noted(**notes: Any) -> Run:
    return run(notes=notes)


def test_a_release_is_stopped_and_put_back() -> None:
    assert bad_release.judge_stopped(noted(release=STOPPED), evidence())[0]
    assert not bad_release.judge_stopped(noted(release=DEPLOYED), evidence())[0]
    assert not bad_release.judge_stopped(noted(release={**STOPPED, "said": ["Nothing was said."]}), evidence())[0]
    assert not bad_release.judge_stopped(noted(), evidence())[0]


def test_one_that_dies_later_is_taken_back_by_its_alarm() -> None:
    rang = "First cause: the alarm orders-production-version-fails rang while the change was watched: 1.0"
    held, said = bad_release.judge_taken_back(noted(release={**STOPPED, "rang": [rang]}), evidence())
    assert held
    assert rang in said
    assert not bad_release.judge_taken_back(noted(release={**STOPPED, "rang": []}), evidence())[0]
    assert not bad_release.judge_taken_back(noted(release={**DEPLOYED, "rang": [rang]}), evidence())[0]
    assert not bad_release.judge_taken_back(noted(), evidence())[0]


def test_the_primarys_region_has_not_got_it() -> None:
    assert bad_release.judge_untouched(noted(untouched=True), evidence())[0]
    assert not bad_release.judge_untouched(noted(untouched=False), evidence())[0]
    assert not bad_release.judge_untouched(noted(), evidence())[0]


def test_the_plan_of_the_old_version_is_empty() -> None:
    assert bad_release.judge_plan(noted(plan_of_the_old=True), evidence())[0]
    assert not bad_release.judge_plan(noted(plan_of_the_old=False), evidence())[0]
    assert not bad_release.judge_plan(noted(), evidence())[0]


def test_few_fail_means_few() -> None:
    promise = bad_release.EXPERIMENTS[0].then[2]
    entries = [read(FAULT + 1 + number / 100) for number in range(100)]
    assert promise.judge(run(), evidence(*entries, read(FAULT + 3, "502"), until=FAULT + 10))[0], "one is no share"
    two = [read(FAULT + 3, "502"), read(FAULT + 4, "502")]
    assert promise.judge(run(), evidence(*entries, *two, until=FAULT + 10)) == (False, "2 of 102 requests failed (502)")
    assert not promise.judge(run(), evidence(until=FAULT + 10))[0], "nobody asked"
