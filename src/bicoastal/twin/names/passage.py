"""One browser's connection to the front door, request by request, over one connection to the balancer at a time.

HTTP is read as far as names stand in it: the application sees the public name as Host, Origin and Referer, as behind a
real one, and its redirects and cookies come back under the name in the browser's address bar. Bodies are passed on as
they come. A connection to the balancer is kept as long as both sides keep it, as a browser does.
"""

from __future__ import annotations

import asyncio
import contextlib
import html
import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

import h11

_CHUNK = 65536
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Connect = Callable[[], Awaitable[Streams]]
Header = tuple[bytes, bytes]


class Unreachable(Exception):  # noqa: N818 - a page is made of it
    """No connection to the application: the page that says so, in HTML."""


@dataclass(frozen=True)
class Rewriting:
    """Between the name in the browser's address bar and the public one."""

    outside: str
    """`us-west-2.localhost:8443`."""
    inside: str
    """`orders.example.com`."""

    def request(self, headers: Iterable[Header]) -> list[Header]:
        """As the application would see it."""
        return [(name, self._inward(name, value)) for name, value in headers]

    def response(self, headers: Iterable[Header]) -> list[Header]:
        """As the browser must see it."""
        return [(name, self._outward(name, value)) for name, value in headers]

    def _inward(self, name: bytes, value: bytes) -> bytes:
        if name == b"host":
            return self.inside.encode()
        if name in (b"origin", b"referer"):
            return value.replace(f"https://{self.outside}".encode(), f"https://{self.inside}".encode(), 1)
        return value

    def _outward(self, name: bytes, value: bytes) -> bytes:
        inside = re.escape(self.inside).encode()
        if name in (b"location", b"access-control-allow-origin"):
            # A balancer writes the port into its redirects.
            return re.sub(rb"^https?://%s(:443|:80)?(?=[/?#]|$)" % inside, f"https://{self.outside}".encode(), value)
        if name == b"set-cookie":
            return re.sub(rb";\s*domain=\.?%s" % inside, b"", value, flags=re.IGNORECASE)
        return value


class _End:
    """One of the two connections."""

    def __init__(self, role: Any, streams: Streams) -> None:
        self.reader, self.writer = streams
        self.http = h11.Connection(role)

    async def next(self) -> Any:
        """The next event. Raises OSError and h11.ProtocolError."""
        while (event := self.http.next_event()) is h11.NEED_DATA:
            self.http.receive_data(await self.reader.read(_CHUNK))
        return event

    async def send(self, event: Any) -> None:
        data = self.http.send(event)
        if data:
            self.writer.write(data)
            await self.writer.drain()

    @property
    def usable(self) -> bool:
        """Whether another request may go over it."""
        return self.http.our_state is h11.IDLE and not self.reader.at_eof() and not self.writer.is_closing()

    def again(self) -> bool:
        """Get ready for the next request, if there may be one."""
        if self.http.our_state is h11.DONE and self.http.their_state is h11.DONE:
            self.http.start_next_cycle()
            return True
        return False

    def abort(self) -> None:
        self.writer.transport.abort()


class Passage:
    """Serves one browser's connection to its end."""

    def __init__(self, browser: Streams, connect: Connect, rewriting: Rewriting) -> None:
        self._browser = _End(h11.SERVER, browser)
        self._connect = connect
        self._rewriting = rewriting
        self._balancer: _End | None = None
        self._body_ended = False

    async def run(self) -> None:
        """Until either side ends. Never raises for what they do."""
        try:
            while isinstance(request := await self._browser.next(), h11.Request):
                if not await self._serve(request) or not self._browser.again():
                    break
            if self._browser.writer.can_write_eof():
                self._browser.writer.write_eof()
            self._browser.writer.close()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await self._browser.writer.wait_closed()
        except (OSError, h11.ProtocolError):
            pass
        finally:
            self._browser.abort()
            if self._balancer is not None:
                self._balancer.abort()

    async def _serve(self, request: h11.Request) -> bool:
        """One request; whether the browser's connection may go on."""
        self._body_ended = False
        inward = h11.Request(
            method=request.method, target=request.target, headers=self._rewriting.request(request.headers)
        )
        try:
            balancer, response = await self._asked(inward)
        except Unreachable as page:
            await self._say(502, str(page))
            return False
        if isinstance(response, h11.InformationalResponse):
            await self._switch(balancer, response)
            return False
        outward = h11.Response(
            status_code=response.status_code,
            reason=response.reason,
            headers=self._rewriting.response(response.headers),
        )
        await self._browser.send(outward)
        while not isinstance(event := await balancer.next(), h11.EndOfMessage):
            if not isinstance(event, h11.Data):
                raise ConnectionError("the balancer's answer ended in the middle")
            await self._browser.send(h11.Data(data=event.data))
        await self._browser.send(h11.EndOfMessage())
        if not balancer.again():
            balancer.abort()
            self._balancer = None
        return True

    async def _asked(self, request: h11.Request) -> tuple[_End, Any]:
        """Send the request and await the head of its answer, once more where a kept connection was just closed.

        Raises Unreachable.
        """
        if self._balancer is not None and self._balancer.usable and request.method in (b"GET", b"HEAD"):
            with contextlib.suppress(OSError, h11.ProtocolError):
                return self._balancer, await self._exchange(self._balancer, request)
        if self._balancer is None or not self._balancer.usable:
            if self._balancer is not None:
                self._balancer.abort()
            self._balancer = _End(h11.CLIENT, await self._connect())
        try:
            return self._balancer, await self._exchange(self._balancer, request)
        except (OSError, h11.ProtocolError) as error:
            # The protocol's own words for an end of the connection would say nothing to a person.
            how = "without an answer" if self._balancer.reader.at_eof() else f"badly: {html.escape(str(error))}"
            raise Unreachable(f"<p>The balancer took the request and ended the connection {how}.</p>") from error

    async def _exchange(self, balancer: _End, request: h11.Request) -> Any:
        await balancer.send(request)
        body = asyncio.create_task(self._pass_body(balancer))
        try:
            while True:
                event = await balancer.next()
                if isinstance(event, h11.InformationalResponse) and event.status_code != 101:
                    await self._browser.send(event)
                elif isinstance(event, h11.Response | h11.InformationalResponse):
                    return event
                else:
                    raise ConnectionError("it was closed without an answer")
        finally:
            # An answer may come before all of the request has gone; what is left of it is then not wanted.
            if not body.done() and request.method in (b"GET", b"HEAD"):
                body.cancel()
            with contextlib.suppress(OSError, h11.ProtocolError, asyncio.CancelledError):
                await body

    async def _pass_body(self, balancer: _End) -> None:
        while not self._body_ended:
            event = await self._browser.next()
            if isinstance(event, h11.Data):
                await balancer.send(h11.Data(data=event.data))
            elif isinstance(event, h11.EndOfMessage):
                self._body_ended = True
            else:
                raise ConnectionError("the browser's request ended in the middle")
        await balancer.send(h11.EndOfMessage())

    async def _switch(self, balancer: _End, response: h11.InformationalResponse) -> None:
        """WebSockets: from here on bytes are bytes."""
        await self._browser.send(response)
        for source, target in ((balancer, self._browser), (self._browser, balancer)):
            target.writer.write(source.http.trailing_data[0])
        await asyncio.gather(_pipe(balancer, self._browser), _pipe(self._browser, balancer))

    async def _say(self, status: int, page: str) -> None:
        body = f"<!doctype html><meta charset=utf-8><title>{status}</title>{page}".encode()
        headers = [
            ("Content-Type", "text/html; charset=utf-8"),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
            ("Connection", "close"),
        ]
        await self._browser.send(h11.Response(status_code=status, reason=b"Bad Gateway", headers=headers))
        await self._browser.send(h11.Data(data=body))
        await self._browser.send(h11.EndOfMessage())


async def _pipe(source: _End, target: _End) -> None:
    with contextlib.suppress(OSError):
        while data := await source.reader.read(_CHUNK):
            target.writer.write(data)
            await target.writer.drain()
    target.abort()
