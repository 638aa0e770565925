"""A small web server whose answers a test sets while it runs: what stands behind a name, or in a balancer's place."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from bicoastal.twin.authority import Authority

CERTIFICATE = ("orders.example.com", "home.elb.amazonaws.com")


class Endpoint:
    """Answers every request with `answer`, or does what `manner` says; knows what it was asked."""

    def __init__(
        self, address: str = "127.0.0.1", port: int = 0, authority: tuple[Authority, Path] | None = None
    ) -> None:
        """With an `authority`, and a folder for its certificate, by TLS."""
        self.answer = reply(200, b"ok")
        self.silent = False
        """Take connections and requests, and answer nothing."""
        self.hangs_up = False
        """End the connection after each answer."""
        self.requests: list[bytes] = []
        self.sources: list[str] = []
        self.names: list[str | None] = []
        """That clients said in TLS."""
        self._context = self._secure(*authority) if authority else None
        self._door = socket.create_server((address, port), backlog=64)
        self.address, self.port = self._door.getsockname()
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def asked(self) -> bytes:
        """The last request."""
        return self.requests[-1]

    def stop(self) -> None:
        """Refuse connections from now on."""
        # Closed alone, it would serve the one whom it is waiting for.
        with contextlib.suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()
        for connection in self._open:
            connection.close()

    def __enter__(self) -> Endpoint:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def _run(self) -> None:
        while True:
            try:
                connection, peer = self._door.accept()
            except OSError:
                return
            self.sources.append(peer[0])
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            secured = self._context.wrap_socket(connection, server_side=True) if self._context else connection
            self._open.append(secured)
            with secured:
                while request := _head(secured):
                    self.requests.append(request)
                    if self.silent:
                        secured.recv(1)
                        return
                    secured.sendall(self.answer)
                    if self.hangs_up or b"Connection: close" in request or b"connection: close" in self.answer.lower():
                        return
        except OSError:
            connection.close()

    def _secure(self, authority: Authority, folder: Path) -> ssl.SSLContext:
        authority.issue(folder / "endpoint.pem", folder / "endpoint.key", CERTIFICATE)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "endpoint.pem", folder / "endpoint.key")
        context.sni_callback = lambda _, name, __: self.names.append(name)
        return context


def reply(status: int, body: bytes = b"", headers: Sequence[str] = ()) -> bytes:
    """An answer of HTTP."""
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def _head(connection: socket.socket) -> bytes:
    """A request to the end of its header, and what little body came with it."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return b""
        data += more
    return data
