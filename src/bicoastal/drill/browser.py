"""One user's browser: resolves the public name by DNS and keeps the answer for its TTL, keeps its connection, gives up.

It is as stubborn and as forgetful as real ones: a name is not asked again before its time, whatever becomes of the
address, and a connection is used for as long as it works, wherever it leads.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import time
from dataclasses import dataclass

import h11

from bicoastal.twin.names import packets

_DNS_TRY_S = 0.5
_CHUNK = 65536


class Unserved(Exception):  # noqa: N818 - what a user sees is no error of this program
    """What the user saw instead of an answer; the text is the kind."""


@dataclass(frozen=True)
class Where:
    """How a user reaches the application."""

    name: str
    resolver: tuple[str, int]
    source: str
    """The user's own address: where he is, is told by it."""
    port: int
    """At which load balancers listen for HTTPS."""
    certificate: str
    """File of the authority that signs the application's certificate."""
    patience_s: float
    """How long he waits for an answer, connecting included."""


@dataclass(frozen=True)
class Answer:
    """An answer of the application, or of what stands before it."""

    status: int
    headers: dict[str, str]
    body: bytes


class Browser:
    """For one user, one request at a time."""

    def __init__(self, where: Where, context: ssl.SSLContext) -> None:
        self._where = where
        self._context = context
        self._addresses: tuple[str, ...] = ()
        self._until = 0.0
        self._http: h11.Connection | None = None
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, method: str, path: str, body: bytes = b"") -> Answer:
        """One request. Raises Unserved, with the kind of what was seen."""
        try:
            async with asyncio.timeout(self._where.patience_s):
                return await self._ask(method, path, body)
        except TimeoutError:
            self._drop()
            raise Unserved("timed out") from None
        except ConnectionRefusedError:
            self._drop()
            raise Unserved("refused") from None
        except ssl.SSLCertVerificationError:
            self._drop()
            raise Unserved("no trust") from None
        except (OSError, EOFError, h11.ProtocolError):
            self._drop()
            raise Unserved("reset") from None

    async def close(self) -> None:
        """Leave."""
        self._drop()
        await asyncio.sleep(0)

    async def _ask(self, method: str, path: str, body: bytes) -> Answer:
        if self._streams is not None:
            # A kept connection may have been closed meanwhile: browsers try once more on a new one.
            with contextlib.suppress(OSError, EOFError, h11.ProtocolError):
                return await self._exchange(method, path, body)
            self._drop()
        await self._connect()
        return await self._exchange(method, path, body)

    async def _connect(self) -> None:
        """To the first address that answers. Raises OSError of the last one."""
        failed: OSError = ConnectionRefusedError()
        for address in await self._resolve():
            try:
                self._streams = await asyncio.open_connection(
                    address,
                    self._where.port,
                    ssl=self._context,
                    server_hostname=self._where.name,
                    local_addr=(self._where.source, 0),
                )
            except OSError as error:
                failed = error
                continue
            self._http = h11.Connection(h11.CLIENT)
            return
        raise failed

    async def _resolve(self) -> tuple[str, ...]:
        """The answer that is kept, or a new one. Raises Unserved."""
        if time.monotonic() < self._until:
            return self._addresses
        told = await _ask_dns(self._where)
        lines = [line for line in told.lines if line.type == "A"]
        if not lines:
            raise Unserved("no address")
        self._addresses = tuple(line.value for line in lines)
        self._until = time.monotonic() + min(line.ttl for line in told.lines)
        return self._addresses

    async def _exchange(self, method: str, path: str, body: bytes) -> Answer:
        assert self._http is not None  # noqa: S101 - for the type: it is connected
        assert self._streams is not None  # noqa: S101
        http, (reader, writer) = self._http, self._streams
        headers = [("Host", self._where.name), ("Accept", "*/*"), ("User-Agent", "bicoastal-drill")]
        if body:
            headers += [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        data = http.send(h11.Request(method=method, target=path, headers=headers)) or b""
        data += (http.send(h11.Data(data=body)) or b"") if body else b""
        writer.write(data + (http.send(h11.EndOfMessage()) or b""))
        await writer.drain()
        response: h11.Response | None = None
        parts: list[bytes] = []
        while True:
            event = http.next_event()
            if event is h11.NEED_DATA:
                received = await reader.read(_CHUNK)
                if not received and response is None:
                    raise EOFError
                http.receive_data(received)
            elif isinstance(event, h11.Response):
                response = event
            elif isinstance(event, h11.Data):
                parts.append(bytes(event.data))
            elif isinstance(event, h11.EndOfMessage):
                break
            elif not isinstance(event, h11.InformationalResponse):
                raise EOFError
        if http.our_state is h11.DONE and http.their_state is h11.DONE:
            http.start_next_cycle()
        else:
            self._drop()
        assert response is not None  # noqa: S101 - h11 ends no message that did not begin
        named = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
        return Answer(response.status_code, named, b"".join(parts))

    def _drop(self) -> None:
        if self._streams is not None:
            self._streams[1].transport.abort()
        self._streams = self._http = None


def trust(certificate: str) -> ssl.SSLContext:
    """What the browsers of a process trust. Raises OSError."""
    return ssl.create_default_context(cafile=certificate)


async def _ask_dns(where: Where) -> packets.Told:
    """By UDP, again and again: a lost packet is asked for once more. The caller's patience ends it."""
    loop = asyncio.get_running_loop()
    query = packets.write_question(where.name, "A", None)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
        door.setblocking(False)
        door.bind((where.source, 0))
        door.connect(where.resolver)
        while True:
            try:
                await loop.sock_sendall(door, query)
                async with asyncio.timeout(_DNS_TRY_S):
                    told = packets.read_answer(await loop.sock_recv(door, packets.LARGEST_BYTES), query)
            except TimeoutError:
                continue
            except OSError as error:
                raise Unserved("no DNS") from error
            if told is not None:
                return told
