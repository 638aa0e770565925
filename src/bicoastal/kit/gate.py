"""The closed read gate: answers every request with 503 and a short page.

The load balancer sends requests here while the gate is closed, so that any application can be drained without knowing.
This module neither opens nor closes anything.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

from bicoastal.kit.config import EVERYWHERE
from bicoastal.kit.errors import UnavailableError

HEALTH_PATH = b"/.well-known/bicoastal/gate"
RETRY_AFTER_S = 5
_HEAD_DEADLINE_S = 5.0
_LINGER_S = 2.0
_HEAD_LIMIT = 64 * 1024
_AT_ONCE = 64
_ACCEPT_S = 0.5
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
    """A server in threads of its own, so that no slow database delays it. asyncio would cost 2 MiB more."""

    def __init__(self, port: int, host: str = EVERYWHERE) -> None:
        self.port = port
        self._host = host
        self._stop = threading.Event()
        self._places = threading.BoundedSemaphore(_AT_ONCE)
        self._thread = threading.Thread(target=self._accept, name="gate", daemon=True)
        self._door: socket.socket | None = None

    def start(self) -> None:
        """Listen. Raises UnavailableError if the port is taken."""
        try:
            self._door = socket.create_server((self._host, self.port), backlog=1024)
        except OSError as error:
            raise UnavailableError(f"gate: port {self.port}: {error.strerror}.") from error
        self._door.settimeout(_ACCEPT_S)
        self._thread.start()

    def stop(self) -> None:
        """Stop listening; what is being answered is answered by threads that end with the program."""
        self._stop.set()
        self._thread.join(2 * _ACCEPT_S)
        if self._door is not None:
            self._door.close()

    def _accept(self) -> None:
        door = self._door
        while door is not None and not self._stop.is_set():
            # Full: the others wait in the kernel's queue.
            if not self._places.acquire(timeout=_ACCEPT_S):
                continue
            try:
                connection, _ = door.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()
            except (OSError, RuntimeError):
                self._places.release()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection, contextlib.suppress(OSError):
                head = _head(connection)
                if head is not None:
                    connection.sendall(answer(head))
                    # Closed with a body unread it would be reset, and the balancer would say 502 instead of our 503.
                    connection.shutdown(socket.SHUT_WR)
                    _drain(connection)
        finally:
            self._places.release()


def _head(connection: socket.socket) -> bytes | None:
    """The request up to its empty line; None if that does not come in time or is too long."""
    head = b""
    for part in _parts(connection, _HEAD_DEADLINE_S):
        head += part
        if b"\r\n\r\n" in head:
            return head
        if len(head) > _HEAD_LIMIT:
            return None
    return None


def _drain(connection: socket.socket) -> None:
    for _ in _parts(connection, _LINGER_S):
        pass


def _parts(connection: socket.socket, deadline_s: float) -> Iterator[bytes]:
    """What comes, until the other side ends or the time is over (TimeoutError, an OSError)."""
    end = time.monotonic() + deadline_s
    while (left := end - time.monotonic()) > 0:
        connection.settimeout(left)
        part = connection.recv(16 * 1024)
        if not part:
            return
        yield part
