"""The closed read gate: answers every request with 503 and a short page.

The load balancer sends requests here while the gate is closed, so that any application can be drained without knowing.
This module neither opens nor closes anything.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading

from bicoastal.kit.errors import UnavailableError

HEALTH_PATH = b"/.well-known/bicoastal/gate"
RETRY_AFTER_S = 5
_HEAD_DEADLINE_S = 5.0
_LINGER_S = 2.0
_HEAD_LIMIT = 64 * 1024
_PAGE = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="{RETRY_AFTER_S}"><title>Back in a moment</title>
<style>:root{{color-scheme:light dark}}body{{font:1.1rem/1.5 system-ui,sans-serif;display:grid;place-content:center;
min-height:90vh;margin:0 1.5rem;text-align:center}}</style></head>
<body><main><h1>Back in a moment</h1>
<p>This service is moving between regions. The page loads again by itself.</p></main></body></html>
""".encode()


def answer(head: bytes) -> bytes:
    """The whole response to a request's head."""
    words = head.split(b"\r\n", 1)[0].split(b" ")
    target = words[1].partition(b"?")[0] if len(words) == 3 else b""
    body_wanted = words[0] != b"HEAD"
    if target == HEALTH_PATH:
        return _response(b"200 OK", b"text/plain; charset=utf-8", b"gate\n", body_wanted=body_wanted)
    return _response(
        b"503 Service Unavailable",
        b"text/html; charset=utf-8",
        _PAGE,
        b"Retry-After: %d\r\n" % RETRY_AFTER_S,
        body_wanted=body_wanted,
    )


def _response(status: bytes, kind: bytes, body: bytes, more: bytes = b"", *, body_wanted: bool) -> bytes:
    head = b"HTTP/1.1 %b\r\nContent-Type: %b\r\nContent-Length: %d\r\n%b" % (status, kind, len(body), more)
    return head + b"Cache-Control: no-store\r\nConnection: close\r\n\r\n" + (body if body_wanted else b"")


class Gate:
    """A server in a thread of its own, so that no slow database delays it."""

    def __init__(self, port: int, host: str = "0.0.0.0") -> None:  # noqa: S104 - the load balancer's addresses vary
        self.port = port
        self._host = host
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="gate", daemon=True)
        self._server: asyncio.Server | None = None

    def start(self) -> None:
        """Listen. Raises UnavailableError if the port is taken."""
        try:
            self._server = self._loop.run_until_complete(
                asyncio.start_server(self._serve, self._host, self.port, limit=_HEAD_LIMIT, backlog=1024)
            )
        except OSError as error:
            self._loop.close()
            raise UnavailableError(f"gate: port {self.port}: {error.strerror}.") from error
        self._thread.start()

    def stop(self) -> None:
        """Stop listening; what is being answered is dropped."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        if self._server is not None:
            self._server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            async with asyncio.timeout(_HEAD_DEADLINE_S):
                head = await reader.readuntil(b"\r\n\r\n")
            writer.write(answer(head))
            # A socket closed with a body unread is reset, and the balancer would say 502 instead of passing the 503 on.
            if writer.can_write_eof():
                writer.write_eof()
            async with asyncio.timeout(_LINGER_S):
                while await reader.read(_HEAD_LIMIT):
                    pass
        writer.close()
