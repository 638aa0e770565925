"""Stands between a client and an AWS endpoint on loopback: passes requests on, and fails some of them as AWS does."""

from __future__ import annotations

import contextlib
import http.client
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

Answer = tuple[int, str, bytes]
"""Status, content type, body."""
Interfere = Callable[[str, bytes], Answer | None]
"""Takes the action (or method and path) and the body; returns an answer in the endpoint's place, or None to pass on."""


def throttled() -> Answer:
    """What services of the query protocol answer to too many requests."""
    body = (
        b"<ErrorResponse><Error><Type>Sender</Type><Code>Throttling</Code><Message>Rate exceeded</Message></Error>"
        b"<RequestId>0</RequestId></ErrorResponse>"
    )
    return 400, "text/xml", body


def unavailable() -> Answer:
    """What a service answers that is in trouble."""
    return 503, "text/xml", b""


@contextlib.contextmanager
def flaky_proxy(target: str, interfere: Interfere) -> Iterator[str]:
    """Serve on loopback; yields the URL to use in the target's place."""
    to = urlsplit(target)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            found = interfere(self._action(body), body)
            if found is None:
                self._pass_on(body)
                return
            status, kind, content = found
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def _action(self, body: bytes) -> str:
            if target_header := self.headers.get("X-Amz-Target"):
                return target_header.rpartition(".")[2]
            if b"Action=" in body[:10_000]:
                return parse_qs(body.decode(errors="replace")).get("Action", [""])[0]
            return f"{self.command} {self.path}"

        def _pass_on(self, body: bytes) -> None:
            connection = http.client.HTTPConnection(to.hostname or "", to.port, timeout=120)
            try:
                headers = {key: value for key, value in self.headers.items() if key.lower() != "connection"}
                connection.request(self.command, self.path, body, headers)
                answer = connection.getresponse()
                content = answer.read()
                self.send_response(answer.status)
                for key, value in answer.getheaders():
                    if key.lower() not in ("transfer-encoding", "connection", "content-length"):
                        self.send_header(key, value)
                length = answer.getheader("Content-Length") if self.command == "HEAD" else None
                self.send_header("Content-Length", length or str(len(content)))
                self.end_headers()
                self.wfile.write(content)
            finally:
                connection.close()

        do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = _serve  # noqa: N815 - the library's names

        def log_message(self, format: str, *args: object) -> None:
            del format, args

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)
