"""Servers as child processes: started, awaited by their own protocol, ended, and never left behind.

Three things see to the last one. The kernel signals a child when we die (`launch`). A register on disk holds the id and
start time of each, so that after a crash `end_leftovers` ends exactly what is left, and nothing that got the same id
since. And every failure to start ends what was started. A program has a session of its own: its children end with it.

Linux alone: start times and sessions are read from /proc.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from bicoastal.core.errors import SystemFault
from bicoastal.twin import launch
from bicoastal.twin.account import Account
from bicoastal.twin.home import Home

STOP_S = 10.0
_KILL_S = 5.0
_POLL_S = 0.01
_LOG_LINES = 5
_STAT_BYTES = 4096
_SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"
_spawner = ThreadPoolExecutor(1, "twin-spawner")
"""The kernel's signal on the parent's death is bound to the thread that forked: this one lives as long as we do."""


@dataclass(frozen=True)
class Program:
    """What to run, and how it wants to be ended."""

    name: str
    """Shown in the log's name, in messages and in the register: `database us-east-1/orders-db-g1`."""
    command: tuple[str | Path, ...]
    """An absolute path and its arguments."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """All of it, but for PATH and LC_ALL, which are set."""
    folder: Path = Path("/")
    owner: str = ""
    """On whose behalf it runs: `instance/us-east-1/i-0123`. `callers` answers it for the program's connections."""
    stop_signal: signal.Signals = signal.SIGTERM
    death_signal: signal.Signals = signal.SIGKILL
    """What it gets when the twin is killed."""


_running: dict[int, str] = {}
"""Leader of a session that runs for somebody, to the owner."""


def owner_of(pid: int) -> str:
    """Whose program a process belongs to; empty for one that is gone, or nobody's."""
    try:
        return _running.get(os.getsid(pid), "")
    except OSError:
        return ""


def members_by_owner() -> dict[str, list[int]]:
    """The living processes of each owner's programs."""
    owners = dict(_running)
    found: dict[str, list[int]] = {}
    for name in os.listdir("/proc"):  # noqa: PTH208 - for each connection, and ten times as fast as Path
        if name.isdecimal() and (fields := _stat(int(name))) and fields[0] not in "ZX":
            owner = owners.get(int(fields[3]))
            if owner:
                found.setdefault(owner, []).append(int(name))
    return found


class Process:
    """One program, started at most once."""

    def __init__(self, home: Home, program: Program, log: Path, account: Account | None = None) -> None:
        """`account` is that of the home's servers unless another is given."""
        self.program = program
        self.log = log
        self._home = home
        self._account = account or home.account
        self._child: subprocess.Popen[bytes] | None = None
        self._entry: Path | None = None

    @property
    def pid(self) -> int | None:
        """Its id while it runs."""
        return self._child.pid if self._child is not None and self._child.poll() is None else None

    @property
    def exit_code(self) -> int | None:
        """How it ended (negative: the signal that ended it); None before its start and while it runs."""
        return None if self._child is None else self._child.poll()

    def start(self) -> None:
        """Start it and return at once. Raises SystemFault when the log or the process cannot be made."""
        if self._child is not None:
            raise RuntimeError(f"{self.program.name} was started before")
        try:
            self._child = _spawner.submit(self._spawn).result()
        except OSError as error:
            raise SystemFault(f"{self.program.name}: cannot be started: {error}") from error
        if self.program.owner:
            _running[self._child.pid] = self.program.owner
        self._entry = _Entry.record(self._home, self.program, self._child.pid)

    def wait_until_ready(self, probe: Callable[[], bool], deadline_s: float) -> float:
        """Ask `probe` until it is true; returns the seconds it took.

        Raises SystemFault with the end of the log when the program ends first or the deadline passes; it is then gone.
        """
        begun = time.monotonic()
        try:
            while True:
                if self.pid is None:
                    raise SystemFault(f"{self.program.name} ended{self._how()}.\n{self._said()}")
                if probe():
                    return time.monotonic() - begun
                if time.monotonic() - begun > deadline_s:
                    raise SystemFault(f"{self.program.name}: not ready after {deadline_s:g} s.\n{self._said()}")
                time.sleep(_POLL_S)
        except BaseException:
            self.stop(0)
            raise

    def wait_until_ended(self, deadline_s: float) -> None:
        """Wait for an end with exit code 0. Raises SystemFault with the end of the log otherwise; it is then gone."""
        try:
            if self._child is None:
                raise RuntimeError(f"{self.program.name} was not started")
            self._child.wait(deadline_s)
        except subprocess.TimeoutExpired:
            raise SystemFault(f"{self.program.name}: not done after {deadline_s:g} s.\n{self._said()}") from None
        finally:
            self.kill()
        if self.exit_code:
            raise SystemFault(f"{self.program.name} ended{self._how()}.\n{self._said()}")

    def stop(self, grace_s: float = STOP_S) -> None:
        """Ask it to end; what has not ended after `grace_s`, or is left of its children, is killed."""
        if self._child is None:
            return
        if self.pid is not None and grace_s > 0:
            self.signal(self.program.stop_signal)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(grace_s)
        self.kill()

    def kill(self) -> None:
        """SIGKILL to it and all of its session's children: as a machine that is gone."""
        if self._child is None:
            return
        left = _session(self._child.pid)
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._child.wait(_KILL_S)
        if left:
            _await_empty(self._child.pid)
        _running.pop(self._child.pid, None)
        if self._entry is not None:
            self._entry.unlink(missing_ok=True)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the program, if it runs."""
        if self.pid is not None and self._child is not None:
            self._child.send_signal(number)

    def _spawn(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [
                    *(sys.executable, "-I", "-S", launch.__file__, str(os.getpid())),
                    *map(str, (self._account.user_id, self._account.group_id, int(self.program.death_signal))),
                    *self.program.command,
                ],
                env={"PATH": _SYSTEM_PATH, "LC_ALL": "C", **self.program.environment},
                cwd=self.program.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _how(self) -> str:
        code = self.exit_code
        if code is None:
            return ""
        return f" by {signal.Signals(-code).name}" if code < 0 else f" with exit code {code}"

    def _said(self) -> str:
        try:
            lines = self.log.read_text(errors="replace").strip().splitlines()[-_LOG_LINES:]
        except OSError:
            lines = []
        return "".join(f"    {line}\n" for line in lines) + f"    -> See {self.log}."


def run(home: Home, program: Program, within_s: float) -> str:
    """Run a program to its end and return what it printed.

    Raises SystemFault with the end of that when its exit code is not 0 or it is not done in time; it is then gone.
    """
    log = home.log("programs", f"{program.command[0]}-{os.urandom(4).hex()}".rpartition("/")[2])
    process = Process(home, program, log)
    process.start()
    process.wait_until_ended(within_s)
    said = log.read_text(errors="replace")
    log.unlink()
    return said


@dataclass(frozen=True)
class Leftover:
    """A process, or what is left of its session, that an earlier twin in this folder started."""

    name: str
    pid: int
    members: tuple[int, ...]


def leftovers(home: Home) -> list[Leftover]:
    """What of the register still runs and was not started by us. Entries of what is gone are removed."""
    found = []
    for path in sorted(home.processes.glob("*.json")):
        entry = _Entry.read(path)
        if entry is None or not (members := entry.members()):
            path.unlink(missing_ok=True)
        elif entry.owner != _identity(os.getpid()):
            found.append(Leftover(entry.name, entry.pid, members))
    return found


def end_leftovers(home: Home, grace_s: float = STOP_S) -> list[Leftover]:
    """End what an earlier twin left: by SIGTERM, and SIGKILL for what is there after `grace_s`. Returns what it was."""
    found = leftovers(home)
    for sent in (signal.SIGTERM, signal.SIGKILL):
        for leftover in found:
            for pid in leftover.members if sent is signal.SIGKILL else (leftover.pid,):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, sent)
        end = time.monotonic() + grace_s
        while leftovers(home) and time.monotonic() < end:
            time.sleep(_POLL_S)
    return found


@dataclass(frozen=True)
class _Entry:
    """A line of the register."""

    name: str
    pid: int
    identity: str
    owner: str

    @classmethod
    def record(cls, home: Home, program: Program, pid: int) -> Path:
        path = home.processes / f"{pid}.json"
        entry = cls(program.name, pid, _identity(pid), _identity(os.getpid()))
        partial = path.with_suffix(".part")
        partial.write_text(json.dumps(entry.__dict__))
        partial.replace(path)
        return path

    @classmethod
    def read(cls, path: Path) -> _Entry | None:
        try:
            return cls(**json.loads(path.read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def members(self) -> tuple[int, ...]:
        """The processes of its session, if it is still the one that we started."""
        if not self.identity.startswith(_boot()):
            return ()
        now = _identity(self.pid)
        # Without its leader a session keeps the id from being used again: what is in it is ours.
        return () if now and now != self.identity else _session(self.pid)


def _identity(pid: int) -> str:
    """What no other process ever has: the machine's boot, the id and the start time. Empty when there is none."""
    fields = _stat(pid)
    return f"{_boot()}/{pid}/{fields[19]}" if fields else ""


def _session(leader: int) -> tuple[int, ...]:
    """The living processes of a session."""
    pids = (int(name) for name in os.listdir("/proc") if name.isdecimal())  # noqa: PTH208 - at each program's end
    return tuple(pid for pid in pids if (fields := _stat(pid)) and fields[3] == str(leader) and fields[0] not in "ZX")


def _await_empty(leader: int) -> None:
    end = time.monotonic() + _KILL_S
    while _session(leader) and time.monotonic() < end:
        time.sleep(_POLL_S)


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat behind the name, which may hold blanks: state, parent, group, session, ..."""
    try:
        file = os.open(f"/proc/{pid}/stat", os.O_RDONLY)
    except OSError:
        return []
    try:
        return os.read(file, _STAT_BYTES).decode(errors="replace").rpartition(")")[2].split()
    except OSError:
        return []
    finally:
        os.close(file)


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        raise SystemFault(
            f"the twin runs on Linux: this system ({sys.platform}) has no /proc.\n    -> Use Linux, or a container."
        ) from None
