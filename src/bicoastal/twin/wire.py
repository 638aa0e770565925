"""The network between places: a round trip of 65 ms between regions and 1 ms between Availability Zones, and its cuts.

A server of the twin listens where nobody is told; who wants it comes through a listener here, which knows from where to
where a connection goes, delays what it carries by half a round trip each way, and obeys the cuts. Order is kept and
bandwidth is not limited. Who may go where is not decided here: a listener's route says so.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal

from bicoastal.core.errors import SystemFault

REGIONS_S = 0.065
"""Round trip between us-east-1 and us-west-2."""
ZONES_S = 0.001
_CHUNK = 65536
_IN_FLIGHT = 1024
"""Chunks of a direction that are under way: a sender that is faster than the receiver waits, as by a full window."""
_CALL_S = 10.0
_ROUTERS = 16
"""Routes that are looked for at once: a router waits for a reading of the API more than it works."""
_LATE_S = 1.0
"""Who waited so long for his route, and has gone meanwhile, is not asked about: on a machine that has no time for it
clients give up and come again, faster than they were asked about, and nobody was let in any more."""
_TCP_ESTABLISHED = 1

Cut = Literal["black-hole", "refuse"]
Address = tuple[str, int]


@dataclass(frozen=True)
class Place:
    """Where something runs."""

    region: str
    zone: str = ""
    """Empty: anywhere in the region, with no distance to its zones."""


@dataclass(frozen=True)
class Route:
    """From where to where a connection goes, and the address behind it."""

    source: Place
    destination: Place
    address: Address


Router = Callable[[Address], Route | Cut]
"""The address of who connects to its route, or to what a firewall does: say nothing, or refuse."""


class Wire:
    """All of a twin's listeners, in a thread of their own; also a context manager."""

    def __init__(self, regions_s: float = REGIONS_S, zones_s: float = ZONES_S, *, routers: int = _ROUTERS) -> None:
        """Round trips in seconds; `routers` is how many routes are looked for at once."""
        self._regions_s = regions_s
        self._zones_s = zones_s
        self._cuts: dict[tuple[str, str], Cut] = {}
        self._changed = asyncio.Event()
        self._listeners: list[Listener] = []
        self._connections: set[_Connection] = set()
        self._loop = asyncio.new_event_loop()
        self._loop.set_default_executor(ThreadPoolExecutor(routers, "twin-wire"))
        self._thread = threading.Thread(target=self._loop.run_forever, name="twin-wire", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Close every listener and connection."""
        if not self._thread.is_alive():
            return
        # Thousands of connections take longer on a machine without time: they end with the loop, then.
        with contextlib.suppress(TimeoutError):
            self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_CALL_S)
        if not self._thread.is_alive():
            self._loop.close()

    def __enter__(self) -> Wire:
        """Begin."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Close everything."""
        self.stop()

    def listen(self, address: Address, router: Router) -> Listener:
        """Take connections at an address (port 0: a free one). Raises SystemFault when the address is taken."""
        # With the protocol named, asyncio switches Nagle's algorithm off; it would add 40 ms to short messages.
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
            listening.listen(256)
        except OSError as error:
            listening.close()
            raise SystemFault(
                f"{address[0]}:{address[1]} cannot be listened on: {error.strerror}.\n"
                "    -> Another program holds it; end that one, or give the twin another port."
            ) from error
        listener = Listener(self, router, listening.getsockname()[:2])
        self._call(listener.serve(listening))
        self._listeners.append(listener)
        return listener

    def cut(self, source: str, destination: str, how: Cut) -> None:
        """Cut one direction between two regions. `black-hole`: nothing arrives any more; `refuse`: all is reset.

        A connection with one silent direction is half dead, as on a real network: what the other one carries arrives.
        """
        self._change({**self._cuts, (source, destination): how})

    def heal(self, source: str = "*", destination: str = "*") -> None:
        """Undo cuts. What a connection that survived had under way arrives."""
        kept = {
            ends: how
            for ends, how in self._cuts.items()
            if source not in ("*", ends[0]) or destination not in ("*", ends[1])
        }
        self._change(kept)

    def one_way_s(self, source: Place, destination: Place) -> float:
        """How long a byte takes."""
        if source.region != destination.region:
            return self._regions_s / 2
        if source.zone and destination.zone and source.zone != destination.zone:
            return self._zones_s / 2
        return 0.0

    def cut_between(self, source: Place, destination: Place) -> Cut | None:
        """What is done to bytes in this direction."""
        return self._cuts.get((source.region, destination.region))

    async def passable(self, source: Place, destination: Place) -> None:
        """Wait until the direction is no black hole."""
        while self.cut_between(source, destination) == "black-hole":
            await self._changed.wait()

    def _change(self, cuts: dict[tuple[str, str], Cut]) -> None:
        async def change() -> None:
            self._cuts = cuts
            before, self._changed = self._changed, asyncio.Event()
            before.set()
            for connection in list(self._connections):
                if connection.refused():
                    connection.reset()

        self._call(change())

    async def _close(self) -> None:
        for listener in self._listeners:
            await listener.shut()
        tasks = asyncio.all_tasks(self._loop) - {asyncio.current_task(self._loop)}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        # A transport closes its socket one turn of the loop after it was aborted.
        await asyncio.sleep(0.01)

    def _call(self, coroutine: Any) -> Any:
        future: Future[Any] = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        return future.result(_CALL_S)


class Listener:
    """One address; `address` is where it is."""

    def __init__(self, wire: Wire, router: Router, address: Address) -> None:
        self.address = address
        self._wire = wire
        self._router = router
        self._server: asyncio.Server | None = None
        self._connections: set[_Connection] = set()

    async def serve(self, listening: socket.socket) -> None:
        """Take connections from now on."""
        self._server = await asyncio.start_server(self._accept, sock=listening)

    def drop(self) -> None:
        """Reset every connection: what is behind has moved or is gone."""

        async def drop() -> None:
            for connection in list(self._connections):
                connection.reset()

        self._wire._call(drop())

    def close(self) -> None:
        """Take no more connections and reset those that are open."""
        self._wire._listeners.remove(self)
        self._wire._call(self.shut())

    async def shut(self) -> None:
        """The same, within the wire's own thread."""
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            connection.reset()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer: Address = writer.get_extra_info("peername")[:2]
        try:
            # It may look at the kernel's tables, and others' bytes go on meanwhile.
            route = await asyncio.to_thread(self._route, peer, writer, time.monotonic())
        except asyncio.CancelledError:
            # The wire stops. Python 3.11's streams report a task of theirs that ends as cancelled as an error.
            _reset(writer)
            return
        if route == "refuse" or isinstance(route, str):
            await _refuse(reader, writer, silent=route == "black-hole")
            return
        connection = _Connection(self._wire, route, reader, writer)
        self._connections.add(connection)
        self._wire._connections.add(connection)
        try:
            await connection.run()
        except asyncio.CancelledError:
            # As above.
            connection.reset()
        finally:
            self._connections.discard(connection)
            self._wire._connections.discard(connection)

    def _route(self, peer: Address, writer: asyncio.StreamWriter, since: float) -> Route | Cut:
        if time.monotonic() - since > _LATE_S and _gone(writer):
            return "refuse"
        return self._router(peer)


class _Connection:
    """A client's connection, and the one behind it."""

    def __init__(self, wire: Wire, route: Route, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._wire = wire
        self._route = route
        self._reader = reader
        self._writers = [writer]

    def refused(self) -> bool:
        there = self._wire.cut_between(self._route.source, self._route.destination)
        back = self._wire.cut_between(self._route.destination, self._route.source)
        return "refuse" in (there, back)

    def reset(self) -> None:
        for writer in self._writers:
            _reset(writer)

    async def run(self) -> None:
        source, destination = self._route.source, self._route.destination
        try:
            if self.refused():
                self.reset()
                return
            # A handshake is one round trip before the first byte may leave.
            await asyncio.sleep(2 * self._wire.one_way_s(source, destination))
            await self._wire.passable(source, destination)
            await self._wire.passable(destination, source)
            reader, writer = await asyncio.open_connection(*self._route.address)
            self._writers.append(writer)
            await asyncio.gather(
                self._carry(self._reader, writer, source, destination),
                self._carry(reader, self._writers[0], destination, source),
            )
        except OSError:
            self.reset()
        finally:
            for writer in self._writers:
                writer.close()

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, source: Place, destination: Place
    ) -> None:
        """One direction; ends when its sender has."""
        loop = asyncio.get_running_loop()
        delay = self._wire.one_way_s(source, destination)
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_IN_FLIGHT)

        async def receive() -> None:
            data = b"more"
            while data:
                data = await reader.read(_CHUNK)
                await under_way.put((loop.time() + delay, data))

        receiving = asyncio.create_task(receive())
        receiving.add_done_callback(lambda task: self.reset() if not task.cancelled() and task.exception() else None)
        try:
            while True:
                arrives, data = await under_way.get()
                if arrives > loop.time():
                    await asyncio.sleep(arrives - loop.time())
                await self._wire.passable(source, destination)
                if not data:
                    break
                writer.write(data)
                await writer.drain()
            if writer.can_write_eof():
                writer.write_eof()
        finally:
            receiving.cancel()


async def _refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, silent: bool) -> None:
    """Reset at once; or swallow what comes until the client gives up, as a firewall that drops packets."""
    # Cancelled when the wire stops, which ends it as any other.
    with contextlib.suppress(OSError, asyncio.CancelledError):
        while silent and await reader.read(_CHUNK):
            pass
    _reset(writer)


def _gone(writer: asyncio.StreamWriter) -> bool:
    """Whether the client has closed its end: the kernel knows before anybody has read."""
    connection = writer.get_extra_info("socket")
    if connection is None or connection.fileno() < 0:
        return True
    with contextlib.suppress(OSError):
        return bool(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] != _TCP_ESTABLISHED)
    return True


def _reset(writer: asyncio.StreamWriter) -> None:
    """Not a clean end: a host that is gone does not say goodbye."""
    connection = writer.get_extra_info("socket")
    if connection is not None and connection.fileno() >= 0:
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
