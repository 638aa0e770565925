"""The bars of the twin: how soon both regions serve, what all of it weighs, and what `deploy` loses to its graph.

    up       `bicoastal up` until the first page of both regions, made anew and found again     <= 10 s, found again
    weight   PSS of every process of the twin: 2 regions x 2 instances, primary, standbys, replica  <= 700 MiB
    stacks   all stacks of both regions on the control plane alone                               <= 8 s
    deploy   wall time against the critical path of the stack graph, every change set delayed    <= 1.1
    tests    with `--tests` alone: those of a whole twin, two at a time, and no process is left   <= 360 s

Prints ratios to the limits; exits 1 when a bar is missed. Run it on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil

from bicoastal.aws.session import Session
from bicoastal.cli.build_cache import cache_folder, cached
from bicoastal.cli.package import package
from bicoastal.deploy.choices import Choices
from bicoastal.deploy.deployment import Wishes, deploy
from bicoastal.deploy.graph import critical_path
from bicoastal.deploy.moments import Ended, Moment
from bicoastal.deploy.run import Run
from bicoastal.deploy.steps import steps
from bicoastal.deploy.survey import Plan, look
from bicoastal.deploy.walk import tasks
from bicoastal.twin.cloud.process import Cloud, ask
from tests.support.running import Running, running, sample

UP_S = 10.0
WEIGHT_MIB = 700.0
STACKS_S = 8.0
DEPLOY_RATIO = 1.1
TESTS_S = 360.0
DELAY_S = 1.0
"""Added to the execution of every change set: AWS's own times, in small."""
SPEC = Path(__file__).resolve().parent.parent / "examples" / "orders" / "bicoastal.yaml"


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description="The bars of the twin.")
    parser.add_argument("--tests", action="store_true", help="The integration tests' time, and nothing else.")
    if parser.parse_args().tests:
        return 0 if _tests() else 1
    held = [*_ups(), _deploys(0.0), _deploys(DELAY_S)]
    return 0 if all(held) else 1


def _ups() -> list[bool]:
    with running(sample, start=False) as twin:
        anew = _timed(twin)
        weight = _weight(twin)
        twin.down()
        again = _timed(twin)
    print(f"up, made anew            {anew:6.1f} s   every stack deployed at the fast pace; no limit")
    return [
        _bar("up, found again", again, "s", UP_S),
        _bar("weight, no console (PSS)", weight, "MiB", WEIGHT_MIB),
    ]


def _timed(twin: Running) -> float:
    begun = time.monotonic()
    # The console, which begins when both pages are served, has a bench of its own.
    twin.up("--pace", "fast", "--no-console")
    return time.monotonic() - begun


def _weight(twin: Running) -> float:
    """MiB of all processes, each page shared by several counted in parts."""
    total = 0
    for pid in {twin.pid, *twin.processes("")}:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1024


def _deploys(delay_s: float) -> bool:
    """All stacks on the control plane alone; with a delay, against the critical path of what each took."""
    with tempfile.TemporaryDirectory() as scratch, Cloud(Path(scratch)) as cloud:
        endpoint = cloud.endpoint
        if delay_s:
            fault = {"kind": "slow", "service": "cloudformation", "action": "ExecuteChangeSet", "seconds": delay_s}
            ask(endpoint, "faults", [fault])
        session = Session.at(endpoint.url, endpoint.access_key_id, endpoint.secret_access_key)
        what = package(SPEC, None, b"certificates", cached(cache_folder()))
        took: dict[str, float] = {}
        begins: list[float] = []

        def tell(moment: Moment) -> None:
            begins.append(time.monotonic())
            if isinstance(moment, Ended):
                took[moment.id] = moment.seconds

        views = look(session, what.manifest.stacks)
        begun = time.monotonic()
        deploy(session, what, Wishes(), tell, threading.Event())
        wall = time.monotonic() - begun
        if not delay_s:
            return _bar("stacks of both regions", wall, "s", STACKS_S)
        choices = Choices(session, what.artifacts)
        graph = tasks(Run(session, what, choices, views, Plan((), ()), tell, threading.Event()), steps(what, views))
        path = critical_path(graph, took)
        walked = time.monotonic() - begins[0]
        print(f"  critical path {path:.2f} s, walked in {walked:.2f} s, {wall:.2f} s with the preflight")
        return _bar(f"deploy, {delay_s:g} s a stack", walked / path, "x the path", DEPLOY_RATIO)


def _tests() -> bool:
    """The integration tests, on two workers as on a machine of two cores."""
    before = _servers()
    begun = time.monotonic()
    command = ["-m", "pytest", "-q", "-n2", "--durations=12", "--dist=loadscope", "--no-loadscope-reorder"]
    command.append("tests/twin/whole")
    done = subprocess.run([sys.executable, *command], cwd=SPEC.parents[2], check=False)
    wall = time.monotonic() - begun
    left = _servers() - before
    print(f"tests ended with {done.returncode}; {len(left)} processes of theirs are left")
    return _bar("integration tests", wall, "s", TESTS_S) and done.returncode == 0 and not left


def _servers() -> set[int]:
    """What runs on this machine and may be a twin's."""
    found = set()
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if any(name in " ".join(process.cmdline()) for name in ("bicoastal", "postgres", "envoy")):
                found.add(process.pid)
    return found - {os.getpid()}


def _bar(what: str, measured: float, unit: str, limit: float) -> bool:
    verdict = "held" if measured <= limit else "MISSED"
    print(f"{what:<24} {measured:6.2f} {unit}   {measured / limit:5.2f} of its limit of {limit:g}   {verdict}")
    return measured <= limit


if __name__ == "__main__":
    sys.exit(main())
