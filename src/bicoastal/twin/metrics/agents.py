"""All agents of the twin, in one thread: an event loop that receives datagrams and keeps the intervals.

Calls of the API wait, so they are made beside it, a few at once for each region: one whose API hangs holds up no
other's. Intervals are counted from the epoch, so that they do not drift and end with CloudWatch's minutes.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Protocol

from bicoastal.core.errors import SystemFault
from bicoastal.twin.addresses import reachable_port
from bicoastal.twin.ground import Ground
from bicoastal.twin.interfaces import FindHost, Host
from bicoastal.twin.metrics.agent import AgentOfInstance
from bicoastal.twin.metrics.configuration import Configuration
from bicoastal.twin.metrics.shipping import Shipment
from bicoastal.twin.metrics.tail import Tail

SHIP_S = 5.0
"""Of a template's time: how often lines are shipped."""
_SHORTEST_S = 1.0
"""Lines are not shipped more often: at a fast pace an instance would call for every request that it serves."""
_AT_ONCE = 4
"""Calls of agents that a region's API is asked."""
_STOP_S = 10.0


class LogFile(Protocol):
    """A file that AWS ships by itself: a DB instance's, where its logs are exported."""

    @property
    def region(self) -> str:
        """Where the group is."""

    @property
    def identifier(self) -> str:
        """Of the DB instance; names the stream."""

    @property
    def group(self) -> str:
        """The log group."""

    @property
    def path(self) -> Path:
        """The file as it is written."""


LogFiles = Callable[[], Iterable[LogFile]]


class Agents:
    """The thread."""

    def __init__(self, ground: Ground, find_host: FindHost | None, log_files: LogFiles) -> None:
        """`log_files` gives those that RDS ships."""
        self._ground = ground
        self._find_host = find_host
        self._log_files = log_files
        self._starting = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._ended = False
        self._places: dict[str, asyncio.Semaphore] = {}
        self._databases: dict[tuple[str, str, Path], Shipment] = {}
        """By region, DB instance and file."""
        self.running: set[RunningAgent] = set()
        """Those that were started and not stopped; the thread's own."""

    def start(self) -> None:
        """Begin to ship what databases write."""
        self.call(self._ship_databases())

    def stop(self) -> None:
        """End it, and every agent that still runs: what it has collected is shipped."""
        with self._starting:
            self._ended = True
            loop, thread = self._loop, self._thread
        if loop is None or thread is None:
            return
        for last in (self._end_all(), self._cancel()):
            with contextlib.suppress(TimeoutError):
                asyncio.run_coroutine_threadsafe(last, loop).result(_STOP_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_STOP_S)
        for shipment in self._databases.values():
            shipment.close()

    def agent(self, host: Host, configuration: Path) -> RunningAgent:
        """Make the agent of an instance; it does nothing before `start`."""
        return RunningAgent(self, self._ground, host, configuration)

    def call(self, work: Coroutine[Any, Any, None]) -> Future[None]:
        """Have it done in the thread, which begins with the first of it. Raises SystemFault once it has ended."""
        with self._starting:
            if self._ended:
                work.close()
                raise SystemFault("the twin's metrics have ended\n    -> Start the twin again.")
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._run, args=(self._loop,), name="twin-agents", daemon=True)
                self._thread.start()
            return asyncio.run_coroutine_threadsafe(work, self._loop)

    async def work(self, region: str, act: Callable[[], None]) -> None:
        """Do what waits, beside the loop; a few at once for a region. Raises what it raises."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        async with self._places.setdefault(region, asyncio.Semaphore(_AT_ONCE)):
            # Daemons, where those of an executor are waited for at the end: an API that hangs must not keep the twin.
            name = f"twin-agents-{region}"
            threading.Thread(target=_do, args=(loop, done, act), name=name, daemon=True).start()
            await done

    def is_there(self, host: Host) -> bool:
        """Whether the host runs: that of a lost region is silent."""
        return self._find_host is None or self._find_host(host.region, host.id) is not None

    @property
    def ship_s(self) -> float:
        """Between two shipments, by the pace."""
        return max(self._ground.pace.seconds(SHIP_S), _SHORTEST_S)

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_forever()
        finally:
            loop.close()

    async def _end_all(self) -> None:
        await asyncio.gather(*(agent.end() for agent in list(self.running)), return_exceptions=True)

    async def _cancel(self) -> None:
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _ship_databases(self) -> None:
        while True:
            with contextlib.suppress(Exception):  # the next round looks again
                await self.work("databases", self._ship_databases_once)
            await asyncio.sleep(self.ship_s)

    def _ship_databases_once(self) -> None:
        found = {(file.region, file.identifier, file.path): file for file in self._log_files()}
        for gone in [key for key in self._databases if key not in found]:
            self._databases.pop(gone).close()
        for key, file in found.items():
            if key not in self._databases:
                self._databases[key] = self._shipment(file)
            self._databases[key].ship()

    def _shipment(self, file: LogFile) -> Shipment:
        state = self._ground.home.log(
            "shipped", f"{file.region}-{file.identifier}-{file.path.parent.name}"
        ).with_suffix(".json")
        return Shipment(
            Tail(file.path, state),
            lambda: self._ground.api.client("logs", file.region),
            file.group,
            f"{file.identifier}.0",
        )


def _do(loop: asyncio.AbstractEventLoop, done: asyncio.Future[None], act: Callable[[], None]) -> None:
    error: Exception | None = None
    try:
        act()
    except Exception as raised:
        error = raised

    def tell() -> None:
        if done.cancelled():
            return
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)

    with contextlib.suppress(RuntimeError):  # the loop has ended, and nobody waits
        loop.call_soon_threadsafe(tell)


class RunningAgent:
    """The agent of one instance, as the one who started the instance holds it."""

    def __init__(self, agents: Agents, ground: Ground, host: Host, configuration: Path) -> None:
        self._agents = agents
        self._ground = ground
        self._host = host
        self._path = configuration
        self._agent: AgentOfInstance | None = None
        self._listener: asyncio.DatagramTransport | None = None
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Listen for StatsD, tail files, publish. Raises SystemFault for a configuration that the agent refuses."""
        root = self._host.root
        path = self._path if self._path.is_relative_to(root) else root / str(self._path).lstrip("/")
        try:
            configuration = Configuration.read(path.read_text())
        except (OSError, ValueError) as error:
            raise SystemFault(
                f"the CloudWatch agent of {self._host.id} does not start: {path}: {error}\n"
                '    -> Compare it with the CloudWatch User Guide, "Create the agent configuration file".'
            ) from error
        self._agent = AgentOfInstance(self._host, configuration, self._ground.home.account, self._ground.pace.seconds)
        self._agents.call(self._begin(self._agent)).result(_STOP_S)

    def stop(self) -> None:
        """End, shipping what was collected."""
        with contextlib.suppress(TimeoutError, SystemFault):
            self._agents.call(self.end()).result(_STOP_S)

    async def _begin(self, agent: AgentOfInstance) -> None:
        statsd = agent.configuration.statsd
        if statsd is not None:
            where = (self._host.address, reachable_port(statsd.port))
            try:
                self._listener, _ = await asyncio.get_running_loop().create_datagram_endpoint(
                    lambda: _Listener(agent), local_addr=where
                )
            except OSError as error:
                agent.say(f"E! StatsD: {where[0]}:{where[1]}: {error.strerror}")
        self._agents.running.add(self)
        self._tasks = [asyncio.create_task(self._publish(agent)), asyncio.create_task(self._ship(agent))]

    async def end(self) -> None:
        """The same in the agents' thread."""
        agent, self._agent = self._agent, None
        if agent is None:
            return
        self._agents.running.discard(self)
        if self._listener is not None:
            self._listener.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._agents.is_there(self._host):
            await self._agents.work(self._host.region, lambda: agent.publish(time.time(), all_of_it=True))
            await self._agents.work(self._host.region, lambda: agent.ship(all_of_it=True))
        agent.close()

    async def _publish(self, agent: AgentOfInstance) -> None:
        every = agent.interval
        number = int(time.time() / every)
        while True:
            number = max(number + 1, int(time.time() / every))
            await asyncio.sleep(max(number * every - time.time(), 0))
            if self._agents.is_there(self._host):
                await self._attempt(agent, lambda at=number * every: agent.publish(at))  # type: ignore[misc]

    async def _ship(self, agent: AgentOfInstance) -> None:
        while True:
            await asyncio.sleep(self._agents.ship_s)
            if self._agents.is_there(self._host):
                await self._attempt(agent, agent.ship)

    async def _attempt(self, agent: AgentOfInstance, act: Callable[[], None]) -> None:
        """An agent goes on after whatever it met: an instance's processes may end while they are measured."""
        try:
            await self._agents.work(self._host.region, act)
        except Exception as error:
            agent.say(f"E! {type(error).__name__}: {error}")


class _Listener(asyncio.DatagramProtocol):
    """Of StatsD."""

    def __init__(self, agent: AgentOfInstance) -> None:
        self._agent = agent

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        """Whoever sends it."""
        del addr
        self._agent.datagram(data)
