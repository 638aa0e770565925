"""Processes of a twin end with it, whatever happens, and nothing else does."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bicoastal.core.errors import SystemFault
from bicoastal.twin.home import Home
from bicoastal.twin.processes import Process, Program, end_leftovers, leftovers, run

SLEEP = ("/bin/sleep", "60")
WITH_CHILD = ("/bin/sh", "-c", "trap '' TERM; sleep 60 & echo child $!; wait; wait")


def eventually(what: str, holds: Callable[[], bool], within_s: float = 5) -> None:
    end = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < end, f"not within {within_s} s: {what}"
        time.sleep(0.01)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def started(home: Home, *command: str, **changes: object) -> Process:
    process = Process(home, Program("sleeper", command or SLEEP, **changes), home.log("sleeper"))  # type: ignore[arg-type]
    process.start()
    return process


def first_line(process: Process) -> str:
    eventually("it says something", lambda: "\n" in process.log.read_text())
    return process.log.read_text().splitlines()[0]


def test_it_runs_as_the_servers_account_in_a_session_of_its_own(home: Home) -> None:
    process = started(home, "/bin/sh", "-c", "id -u; env; sleep 60", environment={"COLOR": "red"})
    eventually("it says who it is", lambda: "COLOR" in process.log.read_text())
    said = process.log.read_text()
    assert said.splitlines()[0] == str(home.account.user_id)
    assert not [line for line in said.splitlines() if line.startswith(("AWS_", "HOME="))]
    assert process.pid is not None
    assert os.getsid(process.pid) == process.pid
    process.stop()
    assert process.exit_code == -signal.SIGTERM
    assert leftovers(home) == []
    assert list(home.processes.iterdir()) == []


def test_stop_ends_children_that_their_parent_forgot(home: Home) -> None:
    process = started(home, *WITH_CHILD)
    child = int(first_line(process).split()[1])
    process.stop(grace_s=0.2)
    assert not alive(child)
    assert process.exit_code == -signal.SIGKILL


def test_a_program_that_ends_is_reported_with_what_it_said(home: Home) -> None:
    process = started(home, "/bin/sh", "-c", "echo the disk is full; exit 3")
    with pytest.raises(SystemFault, match=r"sleeper ended with exit code 3.\n    the disk is full\n    -> See "):
        process.wait_until_ready(lambda: False, 5)


def test_a_program_that_does_not_exist_is_reported(home: Home) -> None:
    process = started(home, "/no/such/program")
    with pytest.raises(SystemFault, match=r"(?s)exit code 127.*/no/such/program: No such file"):
        process.wait_until_ready(lambda: False, 5)


@pytest.mark.parametrize("error", [None, KeyboardInterrupt])
def test_what_does_not_become_ready_is_not_left_behind(home: Home, error: type[BaseException] | None) -> None:
    def probe() -> bool:
        if error:
            raise error
        return False

    process = started(home)
    pid = process.pid
    with pytest.raises(error or SystemFault, match=None if error else "not ready after 0.05 s"):
        process.wait_until_ready(probe, 0.05)
    assert pid is not None
    assert not alive(pid)


def test_run_returns_what_was_printed_and_refuses_to_wait(home: Home) -> None:
    assert run(home, Program("echo", ("/bin/echo", "hello")), 5) == "hello\n"
    with pytest.raises(SystemFault, match="sleeper: not done"):
        run(home, Program("sleeper", SLEEP), 0.1)
    with pytest.raises(SystemFault, match="refuser ended with exit code 1"):
        run(home, Program("refuser", ("/bin/false",)), 5)


OWNER = """
import sys, time
from pathlib import Path
from bicoastal.twin.home import Home
from bicoastal.twin.processes import Process, Program
home = Home(Path(sys.argv[1]))
home.acquire()
process = Process(home, Program("orphan", tuple(sys.argv[2:])), home.log("orphan"))
process.start()
process.wait_until_ready(lambda: bool(process.log.read_text()) or sys.argv[2] == "/bin/sleep", 5)
print(process.pid, flush=True)
time.sleep(60)
"""


def killed_owner(root: Path, *command: str) -> int:
    """A twin that started a program and was killed; returns the program's id."""
    with subprocess.Popen([sys.executable, "-c", OWNER, root, *command], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline())
        owner.kill()
    return pid


@pytest.fixture
def abandoned(home: Home) -> Home:
    home.release()
    return home


def test_a_killed_twin_takes_its_programs_along(abandoned: Home) -> None:
    pid = killed_owner(abandoned.root, *SLEEP)
    eventually("the program is gone", lambda: not alive(pid))


def test_what_a_killed_twin_left_is_found_and_ended(abandoned: Home) -> None:
    killed_owner(abandoned.root, *WITH_CHILD)
    child = int((abandoned.root / "logs" / "orphan.log").read_text().split()[1])
    assert alive(child)
    assert [leftover.name for leftover in leftovers(abandoned)] == ["orphan"]
    assert [leftover.members for leftover in end_leftovers(abandoned, grace_s=0.5)] == [(child,)]
    assert not alive(child)
    assert leftovers(abandoned) == []


def test_another_process_with_a_registered_id_is_left_alone(abandoned: Home) -> None:
    with subprocess.Popen(SLEEP, start_new_session=True) as other:
        gone = killed_owner(abandoned.root, *SLEEP)
        eventually("the program is gone", lambda: not alive(gone))
        (entry,) = abandoned.processes.iterdir()
        (abandoned.processes / f"{other.pid}.json").write_text(
            json.dumps({**json.loads(entry.read_text()), "pid": other.pid})
        )
        found = end_leftovers(abandoned, grace_s=0.2)
        assert other.poll() is None
        other.kill()
    assert found == []
