"""Checks targets as their group declares, and keeps their states: what DescribeTargetHealth says is what is routed by.

All checks run in one thread with an event loop. A target is healthy with its first pass, and healthy again after as
many passes in a row as the group asks; it is unhealthy after as many failures. ALB's nodes each check on their own,
so that a new target is seen within a fraction of the interval: here a new one is asked more often until its first
pass, and its failures count once an interval.

It decides nothing about requests: `changed` is told, and others look at `states`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
import threading
import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field

from bicoastal.twin.balancers.desired import Check
from bicoastal.twin.pace import Pace

State = Mapping[str, str]
TargetKey = tuple[str, str]
"""Target group's ARN, and the target's key in it."""

HEALTHY: State = {"State": "healthy"}
INITIAL: State = {
    "State": "initial",
    "Reason": "Elb.InitialHealthChecking",
    "Description": "Initial health checks in progress",
}
_SOONER_S = 0.2
"""Between two looks at a target that is new."""
_LINE_BYTES = 8192


@dataclass(frozen=True)
class Probe:
    """A target as it is checked."""

    check: Check
    address: str
    port: int
    """Both where the target is on the twin."""
    admitted: Callable[[], bool]
    """Whether the API's network lets the load balancer connect now."""


@dataclass
class _Watched:
    probe: Probe
    task: asyncio.Task[None] | None = None
    state: State = field(default_factory=lambda: INITIAL)
    admitted: bool = True
    passes: int = 0
    failures: int = 0
    counted_at: float = field(default=-1e9)

    def passed(self, needed: int) -> None:
        self.failures = 0
        self.passes += 1
        if self.state["State"] == "initial" or self.passes >= needed:
            self.state = HEALTHY

    def failed(self, needed: int, why: State) -> None:
        self.passes = 0
        self.failures += 1
        if self.failures >= needed or self.state["State"] == "unhealthy":
            self.state = why


class Checker:
    """The thread of all checks; also tells when a process has ended, and when a time has come."""

    def __init__(self, pace: Pace, changed: Callable[[Hashable], None]) -> None:
        """`changed` is called in the thread, with the owner of a target whose state is another: it may not wait."""
        self._pace = pace
        self._changed = changed
        self._watched: dict[Hashable, dict[TargetKey, _Watched]] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="twin-health-checks", daemon=True)
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        # ALB does not look at a target's certificate.
        self._tls.check_hostname = False
        self._tls.verify_mode = ssl.CERT_NONE
        self._thread.start()

    def watch(self, owner: Hashable, probes: Mapping[TargetKey, Probe]) -> None:
        """Check these targets of an owner from now on, and no others; a known one keeps its state."""
        self._call(self._set, owner, dict(probes))

    def states(self, owner: Hashable) -> dict[TargetKey, State]:
        """As of now."""
        return {key: item.state for key, item in dict(self._watched.get(owner, {})).items()}

    def tell_at_end(self, pid: int, owner: Hashable) -> None:
        """`changed` is called when this process has ended."""
        self._call(self._follow, pid, owner)

    def tell_in(self, seconds: float, owner: Hashable) -> None:
        """`changed` is called after a while."""
        self._call(lambda: self._loop.call_later(seconds, self._changed, owner))

    def close(self) -> None:
        """No more checks."""
        if not self._thread.is_alive():
            return

        async def end() -> None:
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._loop.stop()

        asyncio.run_coroutine_threadsafe(end(), self._loop)
        self._thread.join()
        self._loop.close()

    def _call(self, act: Callable[..., object], *arguments: object) -> None:
        with contextlib.suppress(RuntimeError):  # closed
            self._loop.call_soon_threadsafe(act, *arguments)

    def _set(self, owner: Hashable, probes: dict[TargetKey, Probe]) -> None:
        known = self._watched.setdefault(owner, {})
        for key in known.keys() - probes.keys():
            task = known.pop(key).task
            if task is not None:
                task.cancel()
        for key, probe in probes.items():
            if key in known:
                known[key].probe = probe
            else:
                known[key] = item = _Watched(probe)
                item.task = self._loop.create_task(self._keep(owner, item))
        if not known:
            del self._watched[owner]

    def _follow(self, pid: int, owner: Hashable) -> None:
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            self._changed(owner)
            return

        def ended() -> None:
            self._loop.remove_reader(descriptor)
            os.close(descriptor)
            self._changed(owner)

        self._loop.add_reader(descriptor, ended)

    async def _keep(self, owner: Hashable, item: _Watched) -> None:
        while True:
            before = (item.state, item.admitted)
            started = time.monotonic()
            check = item.probe.check
            interval = self._pace.seconds(check.interval_s)
            fault = await self._look(item)
            if fault is None:
                item.passed(check.healthy)
            elif item.state["State"] != "initial" or started - item.counted_at >= interval * 0.99:
                item.counted_at = started
                item.failed(check.unhealthy, fault)
            if (item.state, item.admitted) != before:
                self._changed(owner)
            pause = min(interval, _SOONER_S) if item.state["State"] == "initial" else interval
            await asyncio.sleep(max(started + pause - time.monotonic(), 0))

    async def _look(self, item: _Watched) -> State | None:
        """What is wrong with the target; None when it passes."""
        probe = item.probe
        timeout = self._pace.seconds(probe.check.timeout_s)
        item.admitted = probe.admitted()
        if not item.admitted:
            await asyncio.sleep(timeout)
            return _fault("Timeout", "Request timed out")
        try:
            async with asyncio.timeout(timeout):
                code = await self._ask(probe)
        except TimeoutError:
            return _fault("Timeout", "Request timed out")
        except (OSError, ValueError, EOFError):
            return _fault("FailedHealthChecks", "Health checks failed")
        if probe.check.matches(code):
            return None
        return _fault("ResponseCodeMismatch", f"Health checks failed with these codes: [{code}]")

    async def _ask(self, probe: Probe) -> int:
        secure = self._tls if probe.check.protocol == "HTTPS" else None
        reader, writer = await asyncio.open_connection(probe.address, probe.port, ssl=secure, limit=_LINE_BYTES)
        try:
            writer.write(
                f"GET {probe.check.path} HTTP/1.1\r\nHost: {probe.address}:{probe.port}\r\nConnection: close\r\n"
                "User-Agent: ELB-HealthChecker/2.0\r\nAccept-Encoding: gzip, compressed\r\n\r\n".encode()
            )
            line = await reader.readuntil(b"\n")
            return int(line.split()[1])
        except (IndexError, asyncio.LimitOverrunError) as error:
            raise ValueError("no answer of HTTP") from error
        finally:
            writer.transport.abort() if secure else writer.close()


def _fault(kind: str, text: str) -> State:
    return {"State": "unhealthy", "Reason": f"Target.{kind}", "Description": text}
