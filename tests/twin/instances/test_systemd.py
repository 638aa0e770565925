"""The unit runner with real programs: order, readiness, failures, restarts, limits, ends."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from bicoastal.twin.home import Home
from bicoastal.twin.instances.reactor import Reactor
from bicoastal.twin.instances.service import Service
from bicoastal.twin.instances.systemd import Systemd
from bicoastal.twin.instances.units import Unit
from bicoastal.twin.processes import Process, Program
from tests.support.postgres import wait_until

PACE = 20.0
NOTIFIER = """\
import os, socket, sys, time
door = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
door.connect("\\0" + os.environ["NOTIFY_SOCKET"][1:])
time.sleep(float(sys.argv[1]))
door.send(b"READY=1")
for _ in range(int(sys.argv[2])):
    door.send(b"WATCHDOG=1")
    time.sleep(0.05)
time.sleep(60)
"""


class Bench:
    """A machine of units and nothing else."""

    def __init__(self, home: Home) -> None:
        self.reactor = Reactor()
        self.reactor.start()
        self.socket_prefix = f"bicoastal-test/{os.getpid()}"
        self.folder = home.root / "units"
        self.folder.mkdir()
        self.work = home.root / "work"
        self.work.mkdir()
        home.account.own(self.work)
        self.said: list[str] = []
        self.systemd = Systemd(self, self.folder)
        self._home = home
        self._processes: list[Process] = []

    def unit(self, name: str, service: str, unit: str = "") -> None:
        """Write `NAME.service`."""
        text = f"[Unit]\nDescription={name}\n{unit}\n[Service]\n{service}\n[Install]\nWantedBy=multi-user.target\n"
        (self.folder / f"{name}.service").write_text(text.replace("WORK", str(self.work)))

    def ctl(self, *arguments: str) -> tuple[int, str]:
        return self.reactor.submit(self.systemd.systemctl(arguments)).result(30)

    def service(self, name: str) -> Service:
        return next(item for item in self.systemd.services if item.unit.name == f"{name}.service")

    def is_in(self, name: str, state: str) -> None:
        wait_until(
            f"{name} is {state}; {self.said}",
            lambda: any(item.unit.name == f"{name}.service" and item.state == state for item in self.systemd.services),
            20,
        )

    @property
    def log(self) -> list[str]:
        """What units have written, in order."""
        path = self.work / "log"
        return path.read_text().split() if path.exists() else []

    def close(self) -> None:
        self.reactor.submit(self._abandon()).result(10)
        for process in self._processes:
            process.kill()
        self.reactor.stop()

    async def _abandon(self) -> None:
        self.systemd.abandon_everything()

    # Surroundings.

    def environment(self, unit: Unit) -> dict[str, str]:
        del unit
        return {"PATH": "/usr/local/bin:/usr/bin:/bin"}

    def program(self, unit: Unit, words: list[str], environment: Mapping[str, str]) -> Process:
        folder = Path(unit.last("Service.WorkingDirectory") or str(self.work))
        process = Process(self._home, Program(unit.name, tuple(words), environment, folder), self.work / "output")
        self._processes.append(process)
        return process

    def launch(self, unit: Unit, process: Process) -> None:
        del unit
        process.start()

    def ended(self, process: Process) -> None:
        """Nothing is counted."""

    def dismiss(self, process: Process) -> None:
        process.kill()

    def say(self, line: str) -> None:
        self.said.append(line)

    def pause_s(self, template_s: float) -> float:
        return template_s / PACE


@pytest.fixture
def bench(home: Home) -> Iterator[Bench]:
    made = Bench(home)
    yield made
    made.close()


def sh(script: str) -> str:
    """An ExecStart line for a shell."""
    return f"ExecStart=/bin/sh -c '{script}'"


def test_what_comes_after_waits_for_a_oneshots_end_and_wants_brings_it_along(bench: Bench) -> None:
    bench.unit("first", f"Type=oneshot\n{sh('sleep 0.3; echo first >> WORK/log')}\nRemainAfterExit=yes")
    bench.unit(
        "second",
        f"Type=oneshot\n{sh('echo second >> WORK/log')}\n{sh('echo third >> WORK/log')}",
        "Wants=first.service network-online.target\nAfter=first.service network-online.target",
    )
    assert bench.ctl("start", "second") == (0, "")
    assert bench.log == ["first", "second", "third"]
    assert bench.ctl("is-active", "first.service") == (0, "active\n")
    assert bench.ctl("is-active", "second.service") == (3, "inactive\n")
    bench.ctl("start", "first")
    assert bench.log.count("first") == 1, "one that remains is not run again"


def test_a_failure_that_is_wanted_holds_up_nothing_and_one_that_is_required_does(bench: Bench) -> None:
    bench.unit("bad", f"Type=oneshot\n{sh('echo bad >> WORK/log; exit 3')}\n{sh('echo never >> WORK/log')}")
    bench.unit("easy", f"Type=oneshot\n{sh('echo easy >> WORK/log')}", "Wants=bad.service\nAfter=bad.service")
    bench.unit("strict", f"Type=oneshot\n{sh('echo strict >> WORK/log')}", "Requires=bad.service\nAfter=bad.service")
    assert bench.ctl("start", "easy")[0] == 0
    code, said = bench.ctl("start", "strict")
    assert (code, bench.log) == (1, ["bad", "easy", "bad"])
    assert "Job failed" in said
    assert any("exited, status=3" in line for line in bench.said)


def test_a_first_try_that_fails_ends_the_waiting_and_is_tried_again(bench: Bench) -> None:
    """As systemd: the job is done with its failure, and the restart is another one."""
    bench.unit(
        "fetch",
        f"Type=oneshot\nRemainAfterExit=yes\nRestart=on-failure\nRestartSec=10\n"
        f"{sh('echo try >> WORK/log; test -e WORK/there')}",
        "StartLimitIntervalSec=0",
    )
    bench.unit("app", sh("echo app >> WORK/log; exec sleep 60"), "Wants=fetch.service\nAfter=fetch.service")
    assert bench.ctl("start", "app")[0] == 0
    # What it waits for is not there yet: it has not waited for that.
    wait_until("it has run", lambda: "app" in bench.log)
    assert bench.log[0] == "try"
    (bench.work / "there").touch()
    bench.is_in("fetch", "active")
    assert bench.log.count("try") >= 2


def test_killed_with_9_it_is_started_again_after_its_pause(bench: Bench) -> None:
    bench.unit("app", f"Type=exec\nRestart=always\nRestartSec=2\n{sh('echo up >> WORK/log; exec sleep 60')}")
    bench.ctl("start", "app")
    first = bench.service("app").main_pid
    os.kill(first, signal.SIGKILL)
    wait_until("another one runs", lambda: bench.service("app").main_pid not in (0, first), 20)
    bench.is_in("app", "active")
    assert any("killed by SIGKILL" in line for line in bench.said)
    bench.ctl("stop", "app")
    assert (bench.service("app").state, bench.service("app").main_pid) == ("inactive", 0)


def test_on_failure_does_not_restart_what_ended_well(bench: Bench) -> None:
    bench.unit("once", f"Restart=on-failure\nRestartSec=0\n{sh('echo up >> WORK/log')}")
    bench.ctl("start", "once")
    bench.is_in("once", "inactive")
    time.sleep(0.3)
    assert bench.log == ["up"]


def test_too_many_starts_end_it_for_good(bench: Bench) -> None:
    bench.unit(
        "loop",
        f"Restart=always\nRestartSec=0\n{sh('echo up >> WORK/log; exit 1')}",
        "StartLimitIntervalSec=600\nStartLimitBurst=3",
    )
    bench.ctl("start", "loop")
    wait_until("the limit is hit", lambda: bench.service("loop").result == "start-limit-hit", 20)
    assert bench.log == ["up"] * 3
    assert bench.service("loop").state == "failed"


def test_ready_is_what_the_program_says_and_its_silence_is_its_end(bench: Bench) -> None:
    (bench.work / "notifier.py").write_text(NOTIFIER)
    bench.unit(
        "daemon",
        "Type=notify\nNotifyAccess=main\nWatchdogSec=2\nRestart=always\nRestartSec=1\n"
        "ExecStart=/usr/bin/env python3 WORK/notifier.py 0.3 20",
    )
    bench.unit("after", f"Type=oneshot\n{sh('echo after >> WORK/log')}", "Wants=daemon.service\nAfter=daemon.service")
    begun = time.monotonic()
    bench.ctl("start", "after")
    assert time.monotonic() - begun >= 0.3, "who comes after waits for READY"
    assert bench.service("daemon").state == "active"
    first = bench.service("daemon").main_pid
    wait_until("the watchdog ends it", lambda: bench.service("daemon").main_pid not in (0, first), 30)
    assert any("result 'watchdog'" in line for line in bench.said)


def test_a_daemon_that_is_never_ready_or_ends_before_is_failed(bench: Bench) -> None:
    bench.unit("mute", "Type=notify\nTimeoutStartSec=300ms\nExecStart=/bin/sleep 60")
    assert bench.ctl("start", "mute")[0] == 1
    assert bench.service("mute").result == "timeout"
    bench.unit("gone", "Type=notify\nExecStart=/bin/true")
    assert bench.ctl("start", "gone")[0] == 1
    assert any("ended before it was ready" in line for line in bench.said)


def test_a_oneshot_that_takes_too_long_is_killed(bench: Bench) -> None:
    bench.unit("slow", "Type=oneshot\nTimeoutStartSec=200ms\nExecStart=/bin/sleep 60")
    begun = time.monotonic()
    assert bench.ctl("start", "slow")[0] == 1
    assert time.monotonic() - begun < 10
    assert bench.service("slow").result == "timeout"


def test_what_ignores_sigterm_is_killed_after_its_time(bench: Bench) -> None:
    script = 'trap "" TERM; echo up >> WORK/log; while :; do sleep 0.1; done'
    bench.unit("deaf", f"TimeoutStopSec=300ms\n{sh(script)}")
    bench.ctl("start", "deaf")
    wait_until("it runs", lambda: bench.log == ["up"])
    pid = bench.service("deaf").main_pid
    bench.ctl("stop", "deaf")
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_environment_files_working_directory_and_output(bench: Bench) -> None:
    (bench.work / "inner").mkdir()
    (bench.work / "env").write_text('A="one two"\nB=file\n')
    script = 'echo "$$A|$$B|$$C|$$(pwd)" >> WORK/log'
    bench.unit(
        "env",
        f"Type=oneshot\nEnvironment=B=unit C=set\nEnvironmentFile=WORK/env\nEnvironmentFile=-WORK/none\n"
        f"WorkingDirectory=WORK/inner\n{sh(script)}",
    )
    assert bench.ctl("start", "env")[0] == 0
    assert (bench.work / "log").read_text() == f"one two|file|set|{bench.work / 'inner'}\n"
    bench.unit("none", f"Type=oneshot\nEnvironmentFile=WORK/none\n{sh('true')}")
    assert bench.ctl("start", "none")[0] == 1
    assert any("Failed to load environment files" in line for line in bench.said)


def test_a_condition_that_does_not_hold_skips_it_and_is_no_failure(bench: Bench) -> None:
    (bench.work / "done").touch()
    bench.unit("skip", f"Type=oneshot\n{sh('echo skipped >> WORK/log')}", "ConditionPathExists=!WORK/done")
    assert bench.ctl("start", "skip")[0] == 0
    assert bench.log == []


def test_what_is_enabled_starts_at_the_next_boot_and_what_is_not_there_is_said(bench: Bench) -> None:
    bench.unit("a", f"Type=oneshot\n{sh('echo a >> WORK/log')}")
    bench.unit("b", f"Type=oneshot\n{sh('echo b >> WORK/log')}", "After=a.service")
    code, said = bench.ctl("enable", "b.service", "a.service", "rsyslog.service")
    assert (code, said) == (1, "Failed to enable unit: Unit file rsyslog.service does not exist.\n")
    assert bench.log == []
    bench.reactor.submit(bench.systemd.boot()).result(10)
    wait_until("both have run", lambda: len(bench.log) == 2)
    assert bench.log == ["a", "b"], "in their order, not in that of their names"
    bench.ctl("disable", "a.service")
    assert [path.name for path in (bench.folder / "multi-user.target.wants").iterdir()] == ["b.service"]
