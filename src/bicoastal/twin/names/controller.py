"""Route 53's data plane as one controller: what the API says is read, answered, probed and reported by one thread.

Checkers and DNS run on an event loop of their own, so that an answer never waits for the API: it is given from what was
read last. Without the API, all goes on. What becomes of the checks is reported to the API, for GetHealthCheckStatus and
TestDNSAnswer, and is found there again after a restart: a switch that was on is not off for a moment.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Coroutine, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any, Literal, TypeVar

from bicoastal.core.errors import SystemFault
from bicoastal.twin.addresses import resolver_name
from bicoastal.twin.ground import Ground
from bicoastal.twin.interfaces import Admits, AlarmState, How, admits_everything
from bicoastal.twin.names.checkers import Checkers, Surroundings
from bicoastal.twin.names.evaluation import outcomes
from bicoastal.twin.names.reading import Read, Reader
from bicoastal.twin.names.records import World
from bicoastal.twin.names.resolver import Resolved, resolve
from bicoastal.twin.names.server import PORT, Server

_T = TypeVar("_T")
KEY = "route 53"
_CALL_S = 10.0
_KNOWN_SOURCES = 4096
_BETWEEN_READINGS_S = 0.25
"""While a stack is made, the API changes a hundred times a second."""
_BETWEEN_REPORTS_S = 1.0
_WHILE_SETTLING_S = 0.1
"""A deployment counts the first probes of a check, and sees no more of them than are reported one by one."""
_AFTER_FAILURE_S = 2.0


def without_metrics(region: str, alarm: Mapping[str, object]) -> Literal["INSUFFICIENT_DATA"]:
    """For a twin that measures nothing."""
    del region, alarm
    return "INSUFFICIENT_DATA"


class Names:
    """Checkers and DNS; a `Controller` of one key."""

    name = "names"

    def __init__(
        self, ground: Ground, admits: Admits = admits_everything, alarm_state: AlarmState = without_metrics
    ) -> None:
        """Nothing listens before `start`."""
        self._ground = ground
        self._reader = Reader(ground.api, ground.addresses.of)
        # Asked for every packet; where users are, is settled before the first one comes.
        coast_of = lru_cache(_KNOWN_SOURCES)(ground.addresses.coast_of)
        self._server = Server(ground.regions, coast_of, ground.pace)
        self._sources: dict[str, str] = {}
        self._observed = asyncio.Event()
        self._dirty = asyncio.Event()
        around = Surroundings(
            ground.pace, admits, alarm_state, self._address_of, ground.addresses.name_of, self._source_of
        )
        self._checkers = Checkers(around, self._checks_changed, self._observed.set)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="twin-names", daemon=True)
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._last_reading = 0.0
        self._statuses: Mapping[str, bool] = {}

    def start(self) -> None:
        """Answer from now on; nothing at a second time. Raises SystemFault where an address is taken."""
        with self._lock:
            if self._thread.is_alive() or self._stopping.is_set():
                return
            self._thread.start()
            try:
                self._call(self._begin())
            except BaseException:
                self.stop()
                raise

    def stop(self) -> None:
        """Answer and probe no more."""
        self._stopping.set()
        if self._thread.is_alive():
            self._call(self._end())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(_CALL_S)
        if not self._loop.is_closed() and not self._loop.is_running():
            self._loop.close()

    def observe(self) -> Mapping[str, Read]:
        """What the API says."""
        self._stopping.wait(max(self._last_reading + _BETWEEN_READINGS_S - time.monotonic(), 0))
        found = self._reader.read()
        self._last_reading = time.monotonic()
        return {KEY: found}

    def running(self) -> set[str]:
        """Itself."""
        return {KEY}

    def converge(self, key: str, desired: Read | None) -> None:
        """Answer and probe from what was read."""
        del key
        self.start()
        if desired is not None and not self._stopping.is_set():
            self._call(self._take(desired))

    def close(self) -> None:
        """The same as `stop`."""
        self.stop()

    @property
    def statuses(self) -> Mapping[str, bool]:
        """Health check id to whether it is healthy."""
        return self._statuses

    @property
    def world(self) -> World:
        """What is answered from."""
        return self._server.world

    @property
    def public_name(self) -> str:
        """The application's, as the records have it; empty before they are there."""
        return self.world.public_name

    def resolver_of(self, region: str) -> str:
        """`ADDRESS:PORT` of the resolver of a region's VPC: for `witness.resolvers` of the kit."""
        return f"{self._ground.addresses.of(resolver_name(region))}:{PORT}"

    def resolve(self, name: str, coast: str) -> Resolved:
        """What a user of a coast is told, over real UDP. Raises SystemFault."""
        return resolve(self._ground.addresses, name, coast)

    def lose(self, region: str, how: How) -> None:
        """The resolver of the region's VPC is gone. Route 53's own servers and checkers are elsewhere."""
        self._call(self._server.lose(self._ground.addresses.of(resolver_name(region)), how))

    def recover(self, region: str) -> None:
        """It is there again."""
        self._call(self._server.recover(self._ground.addresses.of(resolver_name(region))))

    async def _begin(self) -> None:
        addresses, regions = self._ground.addresses, self._ground.regions
        for region in regions:
            addresses.users(region)
        await self._server.listen(addresses.resolver, regions[0])
        for region in regions:
            await self._server.listen(addresses.of(resolver_name(region)), region)
        for report in (self._report_health, self._report_observations):
            asyncio.create_task(report()).add_done_callback(_raise_unless_cancelled)

    async def _end(self) -> None:
        self._checkers.stop()
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        # A transport closes its socket one turn of the loop after it was aborted.
        await asyncio.sleep(0.01)
        await asyncio.get_running_loop().shutdown_default_executor()

    async def _take(self, read: Read) -> None:
        self._server.world = replace(self._server.world, zones=read.zones, balancers=read.balancers)
        self._checkers.watch(read.checks, read.known, read.alarms)
        self._dirty.set()

    def _checks_changed(self) -> None:
        self._statuses = self._checkers.statuses
        self._server.world = replace(self._server.world, checks=self._statuses)
        self._dirty.set()

    def _address_of(self, host: str) -> str | None:
        """By the twin's DNS, as from the first region: the checkers' own places are none of the twin's."""
        near = self._server.near(self._ground.regions[0])
        for _, answer in outcomes(self._server.world, host, "A", near):
            for line in answer.lines:
                if line.type == "A":
                    return line.value
        return None

    def _source_of(self, place: str) -> str:
        if place not in self._sources:
            self._sources[place] = self._ground.addresses.of(f"checker/{place}")
        return self._sources[place]

    async def _report_health(self) -> None:
        """Say what has become of the checks, whenever something has."""
        last: Any = None
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            world = self._server.world
            now = {
                "statuses": dict(world.checks),
                "balancers": {name: [item.address, item.healthy] for name, item in world.balancers.items()},
                "coasts": {region: str(self._ground.addresses.users(region)) for region in self._ground.regions},
            }
            if now != last and await self._report("route53.health", now):
                last = now
            elif now != last:
                self._dirty.set()

    async def _report_observations(self) -> None:
        while True:
            await self._observed.wait()
            self._observed.clear()
            await self._report("route53.observations", {"checks": self._checkers.observations})
            await asyncio.sleep(_WHILE_SETTLING_S if self._checkers.settling else _BETWEEN_REPORTS_S)

    async def _report(self, name: str, data: Mapping[str, Any]) -> bool:
        try:
            await asyncio.to_thread(self._ground.api.report, name, self._ground.regions[0], **data)
        except SystemFault:
            await asyncio.sleep(_AFTER_FAILURE_S)
            return False
        return True

    def _call(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(_CALL_S)


def _raise_unless_cancelled(task: asyncio.Task[None]) -> None:
    with contextlib.suppress(asyncio.CancelledError):
        task.result()
