"""One service of an instance, from its start to its end and to its next start, as systemd does it.

A service is activated (its commands run, or its program says that it is ready), lives, ends, and is started again where
its unit says so. It knows no other unit: what waits for what is `systemd`'s.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
import socket
import struct
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from bicoastal.core.errors import SystemFault
from bicoastal.twin.instances.reactor import Reactor
from bicoastal.twin.instances.units import Command, Unit, environment_file, is_true, split
from bicoastal.twin.processes import Process

State = Literal["inactive", "activating", "active", "deactivating", "failed"]
RESTART_S = 0.1
LIMIT_INTERVAL_S, LIMIT_BURST = 10.0, 5
_CLEAN = frozenset({0, -signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP, -signal.SIGPIPE})
_RESTARTS: Mapping[str, frozenset[str]] = {
    "always": frozenset({"success", "exit-code", "signal", "timeout", "watchdog"}),
    "on-success": frozenset({"success"}),
    "on-failure": frozenset({"exit-code", "signal", "timeout", "watchdog"}),
    "on-abnormal": frozenset({"signal", "timeout", "watchdog"}),
    "on-abort": frozenset({"signal"}),
    "on-watchdog": frozenset({"watchdog"}),
}
"""Restart= to the results after which a service is started again."""


class Surroundings(Protocol):
    """What a machine gives to its services."""

    reactor: Reactor
    socket_prefix: str
    """Of names of sockets that no file system holds."""

    def environment(self, unit: Unit) -> dict[str, str]:
        """What every program of the unit sees, before the unit's own."""

    def program(self, unit: Unit, words: list[str], environment: Mapping[str, str]) -> Process:
        """A process for it, not started. Raises SystemFault where there is no such program."""

    def launch(self, unit: Unit, process: Process) -> None:
        """Start it. Blocks. Raises SystemFault, also when the power has gone meanwhile."""

    def ended(self, process: Process) -> None:
        """It has ended, and is not reaped yet."""

    def dismiss(self, process: Process) -> None:
        """Kill what is left of it and of its children, and forget it. Blocks."""

    def say(self, line: str) -> None:
        """A line on the console."""

    def pause_s(self, template_s: float) -> float:
        """How long a pause of a unit's lasts here."""


@dataclass(frozen=True)
class _End:
    """How a program ended."""

    result: str
    """`success`, `exit-code`, `signal`, `timeout` or `watchdog`."""
    said: str = ""


class Service:
    """A unit that runs, or may."""

    def __init__(self, unit: Unit, machine: Surroundings) -> None:
        """Inactive."""
        self.unit = unit
        self.state: State = "inactive"
        self.result = "success"
        self.main: Process | None = None
        self._machine = machine
        self._task: asyncio.Task[None] | None = None
        self._stopping = False
        self._starts: deque[float] = deque(maxlen=64)
        self._first: asyncio.Future[bool] | None = None

    def start(self) -> asyncio.Future[bool]:
        """Begin, unless it does already; done when the first attempt has succeeded or failed."""
        if self._first is not None and not (self._task and self._task.done()):
            return self._first
        self._first = self._machine.reactor.loop.create_future()
        self._stopping = False
        self._task = asyncio.ensure_future(self._live(self._first))
        return self._first

    async def stop(self) -> None:
        """End it, as its unit says: a signal, a time, SIGKILL."""
        self._stopping = True
        process, task = self.main, self._task
        if process is not None and process.pid is not None:
            self.state = "deactivating"
            await self._machine.reactor.blocking(process.stop, min(self.unit.stop_timeout_s, 3600.0))
        if task is not None and not task.done():
            # One that pauses before it is started again has no program to end.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(task), 0.05)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        self._end_first(succeeded=False)
        self.state = "inactive"

    def abandon(self) -> None:
        """Do nothing more for it. From within the loop."""
        self._stopping = True
        if self._task is not None:
            self._task.cancel()
        self._end_first(succeeded=False)

    @property
    def remains(self) -> bool:
        """Whether it counts as active when its programs have ended well."""
        return is_true(self.unit.last("Service.RemainAfterExit", "no"))

    @property
    def main_pid(self) -> int:
        """0 where there is none."""
        return (self.main.pid or 0) if self.main else 0

    async def _live(self, first: asyncio.Future[bool]) -> None:
        """Start, live, and again."""
        while self._wanted():
            if not self._may_start():
                return
            self.state = "activating"
            end = await self._once(first)
            self.result = end.result
            if not self._wanted():
                return
            if end.result == "success" and self.remains:
                self.state = "active"
                return
            self.state = "inactive" if end.result == "success" else "failed"
            if end.result != "success":
                self._machine.say(f"{self.unit.name}: {end.said or 'failed'} (result '{end.result}')")
            if not first.done():
                first.set_result(end.result == "success")
            if not self._restarts(end.result):
                return
            self.state = "activating"
            await asyncio.sleep(self._machine.pause_s(self.unit.span("Service.RestartSec", RESTART_S)))

    def _wanted(self) -> bool:
        return not self._stopping

    def _restarts(self, result: str) -> bool:
        return result in _RESTARTS.get(self.unit.last("Service.Restart", "no"), frozenset())

    def _may_start(self) -> bool:
        """Whether the limit of starts lets it. One that does not is failed for good."""
        pace = self._machine.pause_s
        interval = pace(self.unit.span("Unit.StartLimitIntervalSec", LIMIT_INTERVAL_S))
        burst = int(self.unit.last("Unit.StartLimitBurst", str(LIMIT_BURST)))
        now = time.monotonic()
        if interval > 0 and sum(1 for begun in self._starts if now - begun < interval) >= burst:
            self.state, self.result = "failed", "start-limit-hit"
            self._machine.say(f"{self.unit.name}: Start request repeated too quickly.")
            self._end_first(succeeded=False)
            return False
        self._starts.append(now)
        return True

    def _end_first(self, *, succeeded: bool) -> None:
        if self._first is not None and not self._first.done():
            self._first.set_result(succeeded)

    async def _once(self, first: asyncio.Future[bool]) -> _End:
        """One activation, and the life after it."""
        try:
            environment = self._environment()
            before = await self._commands("ExecStartPre", environment)
            if before.result != "success":
                return before
            if self.unit.type == "oneshot":
                return await self._oneshot(first, environment)
            return await self._lasting(first, environment)
        except SystemFault as error:
            return _End("exit-code", str(error).splitlines()[0])

    async def _oneshot(self, first: asyncio.Future[bool], environment: Mapping[str, str]) -> _End:
        try:
            async with asyncio.timeout(_finite(self.unit.start_timeout_s)):
                end = await self._commands("ExecStart", environment)
        except TimeoutError:
            return _End("timeout", f"start timed out after {self.unit.start_timeout_s:g} s")
        if end.result == "success":
            self.state = "active" if self.remains else "inactive"
            self._machine.say(f"{self.unit.name}: Finished {self.unit.description}")
            if not first.done():
                first.set_result(True)
        return end

    async def _commands(self, key: str, environment: Mapping[str, str]) -> _End:
        """One after the other, until one fails."""
        for command in self.unit.commands(key):
            process = self._process(command, environment)
            try:
                end = await self._until_ended(process)
            finally:
                await self._machine.reactor.blocking(self._machine.dismiss, process)
            if end.result != "success" and not command.ignore_failure:
                return _End(end.result, f"{command.words[0]}: {end.said}")
        return _End("success")

    async def _lasting(self, first: asyncio.Future[bool], environment: dict[str, str]) -> _End:
        """`simple`, `exec` and `notify`: the program that is the service."""
        commands = self.unit.commands("ExecStart")
        if len(commands) != 1:
            return _End("exit-code", "one ExecStart is what a service of this type has")
        notices = _Notices(f"{self._machine.socket_prefix}/{self.unit.name}") if self.unit.type == "notify" else None
        watchdog_s = self.unit.span("Service.WatchdogSec", 0.0)
        if notices:
            environment = {**environment, "NOTIFY_SOCKET": f"@{notices.name}"}
            if watchdog_s:
                environment["WATCHDOG_USEC"] = str(int(watchdog_s * 1e6))
        process = self._process(commands[0], environment)
        try:
            with notices or contextlib.nullcontext():
                ending = asyncio.ensure_future(self._until_ended(process))
                try:
                    return await self._attended(first, process, ending, notices, watchdog_s)
                finally:
                    ending.cancel()
        finally:
            await self._machine.reactor.blocking(self._machine.dismiss, process)

    async def _attended(
        self,
        first: asyncio.Future[bool],
        process: Process,
        ending: asyncio.Future[_End],
        notices: _Notices | None,
        watchdog_s: float,
    ) -> _End:
        if notices:
            ready = asyncio.ensure_future(notices.ready(lambda: process.pid))
            both: set[asyncio.Future[Any]] = {ending, ready}
            done, _ = await asyncio.wait(
                both, timeout=_finite(self.unit.start_timeout_s), return_when=asyncio.FIRST_COMPLETED
            )
            ready.cancel()
            if ending in done:
                return _not_ready(ending.result())
            if not done:
                return _End("timeout", f"not ready after {self.unit.start_timeout_s:g} s")
        else:
            # Until the program is there; one that cannot be executed ends at once, as `exec` would tell.
            await asyncio.wait({ending}, timeout=0.02)
            if ending.done() and process.exit_code == 127:
                return ending.result()
        self.state = "active"
        self._machine.say(f"{self.unit.name}: Started {self.unit.description}")
        if not first.done():
            first.set_result(True)
        if notices is None or not watchdog_s:
            return await ending
        return await self._watched(process, ending, notices, watchdog_s)

    async def _watched(
        self, process: Process, ending: asyncio.Future[_End], notices: _Notices, watchdog_s: float
    ) -> _End:
        """Until it ends, or is silent for too long."""
        while True:
            silent_s = time.monotonic() - notices.fed
            done, _ = await asyncio.wait({ending}, timeout=max(watchdog_s - silent_s, 0.01))
            if done:
                return ending.result()
            if time.monotonic() - notices.fed >= watchdog_s:
                process.signal(signal.SIGABRT)
                await asyncio.wait({ending}, timeout=self.unit.stop_timeout_s)
                return _End("watchdog", f"said nothing for {watchdog_s:g} s")

    def _process(self, command: Command, environment: Mapping[str, str]) -> Process:
        return self._machine.program(self.unit, command.filled(environment), environment)

    async def _until_ended(self, process: Process) -> _End:
        """Start it, and wait."""
        self.main = process
        await self._machine.reactor.blocking(self._machine.launch, self.unit, process)
        pid = process.pid
        if pid is not None:
            await self._machine.reactor.until_ended(pid)
        self._machine.ended(process)
        return self._judged(await _code(process))

    def _judged(self, code: int) -> _End:
        extra = {int(word) for word in self.unit.names("Service.SuccessExitStatus") if word.isdigit()}
        clean = {0} if self.unit.type == "oneshot" else _CLEAN
        if code in clean or code in extra:
            return _End("success")
        if code < 0:
            return _End("signal", f"killed by {signal.Signals(-code).name}")
        return _End("exit-code", f"exited, status={code}")

    def _environment(self) -> dict[str, str]:
        values = self._machine.environment(self.unit)
        for line in self.unit.settings.get("Service.Environment", ()):
            for word in split(line, {"n": self.unit.name}):
                name, _, value = word.partition("=")
                values[name] = value
        for named in self.unit.settings.get("Service.EnvironmentFile", ()):
            path = Path(named.removeprefix("-"))
            try:
                values |= environment_file(path.read_text())
            except OSError as error:
                if not named.startswith("-"):
                    raise SystemFault(f"Failed to load environment files: {path}: {error.strerror}") from error
        return values


def _not_ready(end: _End) -> _End:
    return _End("exit-code", "ended before it was ready") if end.result == "success" else end


def _finite(seconds: float) -> float | None:
    return None if seconds == float("inf") or seconds <= 0 else seconds


async def _code(process: Process) -> int:
    """The exit code; the kernel says that it has ended a moment before it can be reaped."""
    while (code := process.exit_code) is None:
        await asyncio.sleep(0.002)
    return code


class _Notices:
    """The socket to which a service says READY=1 and WATCHDOG=1. A context manager that closes it."""

    def __init__(self, name: str) -> None:
        self.name = re.sub(r"[^\w./@-]", "_", name)[:100]
        self.fed = time.monotonic()
        self._door = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._door.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._door.bind("\0" + self.name)
        self._loop = asyncio.get_running_loop()
        self._ready = asyncio.Event()
        self._main: Callable[[], int | None] = lambda: None
        self._loop.add_reader(self._door, self._take)

    def __enter__(self) -> _Notices:
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.remove_reader(self._door)
        self._door.close()

    async def ready(self, main: Callable[[], int | None]) -> None:
        self._main = main
        await self._ready.wait()

    def _take(self) -> None:
        size = struct.calcsize("3i")
        with contextlib.suppress(OSError):
            while True:
                data, ancillary, _, _ = self._door.recvmsg(4096, socket.CMSG_SPACE(size))
                if not data:
                    return
                # NotifyAccess=main: of the main program, nobody else's word counts.
                if any(struct.unpack("3i", item[2][:size])[0] == self._main() for item in ancillary):
                    self._heed(data.decode(errors="replace").splitlines())

    def _heed(self, lines: Iterable[str]) -> None:
        for line in lines:
            if line == "READY=1":
                self.fed = time.monotonic()
                self._ready.set()
            elif line == "WATCHDOG=1":
                self.fed = time.monotonic()


__all__ = ["Service", "State", "Surroundings"]
