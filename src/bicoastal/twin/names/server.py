"""The DNS server: every answer by UDP and TCP, at the resolver's address and at that of each region's VPC resolver.

Where a user is, is told by the client subnet that a resolver sends, else by the address that asks, else by the region
whose resolver is asked. Nothing is forwarded to the internet, and nothing is cached between the zones and who asks: a
TTL is counted by the asker alone. Packed answers are kept until the world changes, so that most cost one look-up.
"""

from __future__ import annotations

import asyncio
import bisect
import contextlib
import random
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import cast

from bicoastal.core.errors import SystemFault
from bicoastal.twin.interfaces import How
from bicoastal.twin.names import packets
from bicoastal.twin.names.evaluation import outcomes
from bicoastal.twin.names.records import World
from bicoastal.twin.pace import Pace

PORT = 10053
_KEPT = 20_000
_IDLE_S = 10.0
_COAST_BITS = 24
_TCP_BYTES = 65535


@dataclass(frozen=True)
class _Kept:
    """What one question is answered: packets without their ids, and where each one's share ends."""

    ends: tuple[float, ...]
    packed: tuple[bytes, ...]

    def draw(self) -> bytes:
        if len(self.packed) == 1:
            return self.packed[0]
        return self.packed[min(bisect.bisect_right(self.ends, random.random()), len(self.packed) - 1)]  # noqa: S311


class Server:
    """Answers from a world that may change at any time; to be used on one event loop only."""

    def __init__(self, regions: Sequence[str], coast_of: Callable[[str], str | None], pace: Pace) -> None:
        """`coast_of` tells of an address to which region a user there is nearest."""
        self._regions = tuple(regions)
        self._coast_of = coast_of
        self._pace = pace
        self._world = World()
        self._kept: dict[tuple[bytes, str, bool], _Kept] = {}
        self._doors: dict[str, _Doors] = {}

    @property
    def world(self) -> World:
        """What is answered from."""
        return self._world

    @world.setter
    def world(self, world: World) -> None:
        if world != self._world:
            self._world = world
            self._kept.clear()

    async def listen(self, address: str, region: str) -> None:
        """Answer there; who cannot be placed is taken for a user of `region`. Raises SystemFault."""
        doors = self._doors[address] = _Doors(self, address, region)
        await doors.open()

    async def lose(self, address: str, how: How) -> None:
        """Whoever asks there is refused, or hears nothing."""
        doors = self._doors[address]
        doors.silent = how == "black-hole"
        if how == "refuse":
            doors.close()

    async def recover(self, address: str) -> None:
        """Answer there again."""
        doors = self._doors[address]
        doors.silent = False
        await doors.open()

    def close(self) -> None:
        """Answer nowhere."""
        for doors in self._doors.values():
            doors.close()

    def respond(self, packet: bytes, source: str, region: str, *, tcp: bool = False) -> bytes | None:
        """The answer to a packet that came from an address; None: say nothing."""
        near = self._coast_of(source) or region
        key = (packet[2:], near, tcp)
        kept = self._kept.get(key)
        if kept is None:
            made = self._make(packet, near, tcp=tcp)
            if not isinstance(made, _Kept):
                return made
            if len(self._kept) >= _KEPT:
                self._kept.clear()
            kept = self._kept[key] = made
        return packet[:2] + kept.draw()

    def near(self, region: str) -> tuple[str, ...]:
        """The regions as a user of one has them: its own first."""
        return (region, *(other for other in self._regions if other != region))

    def _make(self, packet: bytes, near: str, *, tcp: bool) -> _Kept | bytes | None:
        question = packets.read_question(packet)
        if question is None:
            return packets.write_refusal(packet, "FORMERR")
        if not packets.supported(question):
            return packets.write_refusal(packet, "NOTIMP")
        scope = 0
        if question.subnet is not None:
            coast = self._coast_of(question.subnet.address)
            near, scope = (coast, _COAST_BITS) if coast else (near, 0)
        found = outcomes(self._world, question.name, question.kind, self.near(near))
        largest = _TCP_BYTES if tcp else question.largest
        packed = (packets.write_answer(question, answer, self._pace.ttl, scope, largest)[2:] for _, answer in found)
        return _Kept(tuple(accumulate(float(share) for share, _ in found)), tuple(packed))


class _Doors:
    """Both sockets of one address."""

    def __init__(self, server: Server, address: str, region: str) -> None:
        self._server = server
        self._address = address
        self._region = region
        self._datagrams: asyncio.DatagramTransport | None = None
        self._streams: asyncio.Server | None = None
        self.silent = False

    async def open(self) -> None:
        if self._datagrams is not None:
            return
        loop = asyncio.get_running_loop()
        with contextlib.ExitStack() as undo:
            datagrams = undo.enter_context(_bound(self._address, socket.SOCK_DGRAM))
            streams = undo.enter_context(_bound(self._address, socket.SOCK_STREAM))
            undo.pop_all()
        transport, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self.respond), sock=datagrams)
        self._datagrams = transport
        self._streams = await asyncio.start_server(self._stream, sock=streams)

    def close(self) -> None:
        if self._datagrams is not None:
            self._datagrams.close()
        if self._streams is not None:
            self._streams.close()
        self._datagrams = self._streams = None

    def respond(self, packet: bytes, source: str, *, tcp: bool = False) -> bytes | None:
        return None if self.silent else self._server.respond(packet, source, self._region, tcp=tcp)

    async def _stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        source = writer.get_extra_info("peername")[0]
        with contextlib.suppress(OSError, EOFError, TimeoutError, asyncio.CancelledError):
            while True:
                async with asyncio.timeout(_IDLE_S):
                    packet = await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
                answer = self.respond(packet, source, tcp=True)
                if answer is not None:
                    writer.write(len(answer).to_bytes(2, "big") + answer)
                    await writer.drain()
        writer.close()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, respond: Callable[[bytes, str], bytes | None]) -> None:
        self._respond = respond
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        answer = self._respond(data, addr[0])
        if answer is not None and self._transport is not None:
            self._transport.sendto(answer, addr)


def _bound(address: str, kind: socket.SocketKind) -> socket.socket:
    door = socket.socket(socket.AF_INET, kind)
    try:
        if kind == socket.SOCK_STREAM:
            door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.bind((address, PORT))
        door.setblocking(False)
    except OSError as error:
        door.close()
        raise SystemFault(
            f"{address}:{PORT} cannot be listened on: {error.strerror}.\n"
            "    -> Another program answers DNS there; end it."
        ) from error
    return door
