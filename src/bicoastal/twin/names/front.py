"""The front door: shows in a browser on this machine what a user on a coast sees, `https://us-west-2.localhost:PORT`.

It is that user's browser as far as names go: it resolves the application's public name by the twin's DNS as one who is
near to that region, keeps the answer for its TTL, connects from an address of that coast and checks the certificate. No
rule of the twin is made or bent here: what does not answer is shown as a page that says what was resolved and tried.
"""

from __future__ import annotations

import asyncio
import contextlib
import html
import socket
import ssl
import threading
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from bicoastal.core.errors import SystemFault
from bicoastal.twin.addresses import reachable_port
from bicoastal.twin.ground import Ground
from bicoastal.twin.names.controller import Names
from bicoastal.twin.names.passage import Passage, Rewriting, Streams, Unreachable
from bicoastal.twin.names.resolver import Resolved, Resolver, user_address

_T = TypeVar("_T")
_CALL_S = 10.0
_CONNECT_S = 10.0
_FIRST_BYTE_S = 60.0
_HTTPS = 443
_HANDSHAKE = b"\x16"
_LIMIT = 65536


@dataclass(frozen=True)
class _Kept:
    """An answer of the DNS, as a browser keeps it."""

    resolved: Resolved
    until: float


class FrontDoor:
    """An HTTPS server for a person, in a thread of its own; also a context manager."""

    def __init__(self, ground: Ground, names: Names, port: int = 0, name: str = "") -> None:
        """`port` 0 is a free one. `name` is the application's, or else the one that the zone's records show."""
        self._ground = ground
        self._names = names
        self._name = name
        self._wanted = port
        self._port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="twin-front-door", daemon=True)
        self._kept: dict[tuple[str, str], _Kept] = {}
        self._users: dict[str, str] = {}
        self._asked: WeakKeyDictionary[Any, str] = WeakKeyDictionary()

    @property
    def port(self) -> int:
        """Where it listens, on 127.0.0.1; 0 before its start."""
        return self._port

    def url(self, region: str) -> str:
        """For the browser: what a user near to the region sees."""
        return f"https://{self._host(region)}/"

    def start(self) -> None:
        """Begin. Raises SystemFault where the port is taken."""
        try:
            door = socket.create_server(("127.0.0.1", self._wanted), backlog=256)
        except OSError as error:
            self._loop.close()
            raise SystemFault(
                f"127.0.0.1:{self._wanted}: the front door cannot listen: {error.strerror}.\n"
                "    -> Another program has this port; end it, or choose another one with --port."
            ) from error
        door.setblocking(False)
        self._port = door.getsockname()[1]
        self._users = {region: user_address(self._ground.addresses, region) for region in self._ground.regions}
        self._inside, self._outside = self._server_context(), self._client_context()
        self._thread.start()
        self._call(self._begin(door))

    def stop(self) -> None:
        """End, with all connections."""
        if not self._thread.is_alive():
            return
        self._call(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_CALL_S)
        self._loop.close()

    def __enter__(self) -> FrontDoor:
        """Begin."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self.stop()

    async def _begin(self, door: socket.socket) -> None:
        self._task = asyncio.create_task(self._accept(door))

    async def _end(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        # A transport closes its socket one turn of the loop after it was aborted.
        await asyncio.sleep(0.01)
        await asyncio.get_running_loop().shutdown_default_executor()

    async def _accept(self, door: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        serving: set[asyncio.Task[None]] = set()
        with door:
            while True:
                connection, _ = await loop.sock_accept(door)
                task = asyncio.create_task(self._serve(connection))
                serving.add(task)
                task.add_done_callback(serving.discard)

    async def _serve(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        try:
            async with asyncio.timeout(_FIRST_BYTE_S):
                secure = await _first_byte(connection) == _HANDSHAKE
        except (OSError, TimeoutError, asyncio.CancelledError):
            connection.close()
            return
        with contextlib.suppress(OSError, EOFError, TimeoutError, asyncio.LimitOverrunError):
            # From here on the transport has the socket, and closes it whatever happens.
            reader, writer = await _streams(connection, self._inside if secure else None)
            try:
                await (self._show(reader, writer) if secure else self._redirect(reader, writer))
            finally:
                writer.transport.abort()

    async def _show(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        region = self._asked.get(writer.get_extra_info("ssl_object"), "").partition(".")[0]
        if region not in self._users:
            await _say(writer, "200 OK", self._overview())
            return
        name = self._name or self._names.public_name
        rewriting = Rewriting(self._host(region), name or "unknown.invalid")
        await Passage((reader, writer), lambda: self._connect(region, name), rewriting).run()

    async def _connect(self, region: str, name: str) -> Streams:
        """To the application, as a user near to the region. Raises Unreachable with the page that says why not."""
        if not name:
            raise Unreachable(_page("There is no application yet", "No zone of the twin has a public name's records."))
        resolver = Resolver(self._ground.addresses.resolver, self._users[region])
        begun = f"A user near {region} asks for {name}."
        try:
            resolved = await self._resolve(resolver, region, name)
        except SystemFault as fault:
            raise Unreachable(_page(f"{name} is not found", begun, *str(fault).splitlines())) from fault
        if not resolved.addresses:
            raise Unreachable(_page(f"{name} has no address", begun, f"The DNS at {resolver.server} knows none."))
        tried = [f"The DNS at {resolver.server} answers {', '.join(resolved.addresses)} for {resolved.ttl} s."]
        for address in resolved.addresses:
            try:
                return await self._open(address, name, resolver.source)
            except (OSError, TimeoutError) as error:
                how = str(error) or f"no connection within {_CONNECT_S:.0f} s"
                tried.append(f"{address}:{reachable_port(_HTTPS)} does not serve: {how}.")
        raise Unreachable(_page(f"{name} does not answer", begun, *tried))

    async def _open(self, address: str, name: str, source: str) -> Streams:
        async with asyncio.timeout(_CONNECT_S):
            return await asyncio.open_connection(
                address,
                reachable_port(_HTTPS),
                ssl=self._outside,
                server_hostname=name,
                local_addr=(source, 0),
                limit=_LIMIT,
            )

    async def _resolve(self, resolver: Resolver, region: str, name: str) -> Resolved:
        kept = self._kept.get((region, name))
        now = time.monotonic()
        if kept is None or now >= kept.until:
            resolved = await asyncio.to_thread(resolver.addresses_of, name)
            kept = self._kept[region, name] = _Kept(resolved, now + resolved.ttl)
        return kept.resolved

    async def _redirect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Plain HTTP came to the port: it is told where to go."""
        async with asyncio.timeout(_CALL_S):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        words = head[0].split(" ")
        path = words[1] if len(words) > 1 and words[1].startswith("/") else "/"
        hosts = (line.partition(":")[2].strip() for line in head[1:] if line.lower().startswith("host:"))
        host = next(hosts, "").partition(":")[0] or "localhost"
        await _say(writer, "308 Permanent Redirect", "", f"Location: https://{host}:{self._port}{path}\r\n")

    def _overview(self) -> str:
        links = "".join(
            f'<li><a href="{html.escape(self.url(region))}">{html.escape(region)}</a>' for region in self._users
        )
        return _page("The application, as seen from each coast") + f"<ul>{links}</ul>"

    def _host(self, region: str) -> str:
        return f"{region}.localhost:{self._port}"

    def _server_context(self) -> ssl.SSLContext:
        certificate = self._ground.home.certificates / "front-door.pem"
        key = certificate.with_suffix(".key")
        # Browsers do not take a wildcard right below a top-level name: each is named.
        names = [*(f"{region}.localhost" for region in self._ground.regions), "localhost", "*.localhost", "127.0.0.1"]
        self._ground.authority.issue(certificate, key, names)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)

        def remember(connection: Any, name: str | None, _: ssl.SSLContext) -> None:
            self._asked[connection] = name or ""

        context.sni_callback = remember
        return context

    def _client_context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self._ground.authority.certificate))

    def _call(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(_CALL_S)


async def _first_byte(connection: socket.socket) -> bytes:
    """What the client begins with, left where it is: TLS takes it from there."""
    loop = asyncio.get_running_loop()
    readable: asyncio.Future[None] = loop.create_future()
    loop.add_reader(connection, _done, readable)
    try:
        await readable
    finally:
        loop.remove_reader(connection)
    return connection.recv(1, socket.MSG_PEEK)


def _done(readable: asyncio.Future[None]) -> None:
    if not readable.done():
        readable.set_result(None)


async def _streams(connection: socket.socket, context: ssl.SSLContext | None) -> Streams:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=_LIMIT)
    protocol = asyncio.StreamReaderProtocol(reader)
    transport, _ = await loop.connect_accepted_socket(lambda: protocol, connection, ssl=context)
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)


async def _say(writer: asyncio.StreamWriter, status: str, page: str, more: str = "") -> None:
    body = page.encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {len(body)}\r\n{more}"
    writer.write(f"{head}Connection: close\r\n\r\n".encode() + body)
    await writer.drain()
    writer.close()
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(1):
            await writer.wait_closed()


def _page(title: str, *sentences: str) -> str:
    paragraphs = "".join(f"<p>{html.escape(sentence)}</p>" for sentence in sentences)
    return f"<h1>{html.escape(title)}</h1>{paragraphs}"
