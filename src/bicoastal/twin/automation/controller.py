"""Finds what Systems Manager and EventBridge Scheduler have to do in each region, and has it done.

Level-triggered: what is there is an execution, a command's invocation or a schedule that the API says is not over; for
each one a thread of its own is at work. What ends reports that itself, and is then no longer asked for.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, Literal

from bicoastal.twin.automation.commands import Invocation
from bicoastal.twin.automation.execution import Execution
from bicoastal.twin.automation.schedules import Firing, next_due
from bicoastal.twin.automation.sessions import Door
from bicoastal.twin.ground import Ground
from bicoastal.twin.interfaces import FindHost

Json = Any
Key = tuple[Literal["execution", "invocation", "schedule"], str, str]
"""Kind, region and name."""
_CLOSE_S = 5.0


class Automation:
    """The room's controller."""

    name = "automation"

    def __init__(self, ground: Ground, find_host: FindHost) -> None:
        """`find_host` gives the running instances that commands are for."""
        self._ground = ground
        self._find_host = find_host
        self._lock = threading.Lock()
        self._working: dict[Key, Execution | Invocation | Firing] = {}
        self._fired: dict[Key, tuple[float, float]] = {}
        """Schedule to its version and when it was last due: what was observed before that must not fire it again."""
        self._doors: dict[str, Door] = {}
        """Of sessions, by region."""
        self._closed = False

    def observe(self) -> Mapping[Key, Json]:
        """What is not over."""
        found: dict[Key, Json] = {}
        for region in self._ground.regions:
            work = self._ground.api.report("automation.work", region)
            found.update({("execution", region, item["id"]): item for item in work["executions"]})
            for item in work["invocations"]:
                found["invocation", region, f"{item['command']} {item['instance']}"] = item
            found.update({("schedule", region, item["key"]): item for item in work["schedules"]})
            self._open_door(region, work["sessions"])
        return found

    def _open_door(self, region: str, known: str) -> None:
        """Have the API name the place where the region's sessions are had."""
        with self._lock:
            if self._closed:
                return
            if region not in self._doors:
                self._doors[region] = Door(self._ground, self._find_host, region)
        if known != self._doors[region].url:
            self._ground.api.report("ssm.sessions", region, url=self._doors[region].url)

    def running(self) -> set[Key]:
        """What is being done."""
        with self._lock:
            self._working = {key: work for key, work in self._working.items() if work.alive}
            return set(self._working)

    def converge(self, key: Key, desired: Json | None) -> None:
        """Have one thing done, or no longer."""
        with self._lock:
            if self._closed:
                return
            work = self._working.get(key)
            if work is not None and not work.alive:
                work = None
        if isinstance(work, Firing) and (desired is None or work.version != desired["LastModificationDate"]):
            work.close(_CLOSE_S)
            work = None
        if desired is None:
            return
        if work is None:
            self._begin(key, desired)
            work = self._working.get(key)
        if isinstance(work, Execution) and desired["stop"]:
            work.cancel()

    def close(self) -> None:
        """Leave everything as it is: what is not over is found again."""
        with self._lock:
            self._closed = True
            working, self._working = list(self._working.values()), {}
            for door in self._doors.values():
                door.close()
        ends = [threading.Thread(target=work.close, args=(_CLOSE_S,), daemon=True) for work in working]
        for end in ends:
            end.start()
        for end in ends:
            end.join()

    def _begin(self, key: Key, desired: Json) -> None:
        kind, region, name = key
        work: Execution | Invocation | Firing
        if kind == "execution":
            work = Execution(self._ground, region, name)
        elif kind == "invocation":
            work = Invocation(self._ground, self._find_host, region, desired)
        else:
            at = next_due(desired, self._ground)
            if at is None or self._fired.get(key) == (desired["LastModificationDate"], at):
                return
            self._fired[key] = desired["LastModificationDate"], at
            work = Firing(self._ground, region, desired, at)
        with self._lock:
            if self._closed:
                return
            self._working[key] = work
            work.start()
