"""An AWS endpoint on loopback for scripts that call boto3: it answers by operation, and remembers what was asked."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

Json = Any
Answer = Callable[[Json], tuple[int, bytes]]


def as_json(body: Json) -> tuple[int, bytes]:
    """A success of a JSON service."""
    return 200, json.dumps(body).encode()


@dataclass
class Endpoint:
    """Where it listens, and the calls so far: operation and parameters."""

    url: str
    calls: list[tuple[str, Json]] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """What makes boto3 come here, with credentials of nobody."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "none",
            "AWS_SECRET_ACCESS_KEY": "none",
            "AWS_MAX_ATTEMPTS": "1",
        }

    def asked(self, operation: str) -> list[Json]:
        """The parameters of every call of an operation."""
        return [parameters for name, parameters in self.calls if name == operation]


@contextlib.contextmanager
def endpoint(answers: Mapping[str, Answer]) -> Iterator[Endpoint]:
    """Serve `answers` by operation, such as `DescribeSessions`, or `GET /path` for REST. Anything else is a 400."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    here = Endpoint(f"http://127.0.0.1:{server.server_port}")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(f"GET {self.path}", {})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            target = self.headers.get("X-Amz-Target")
            if target:
                self._answer(target.rpartition(".")[2], json.loads(body))
            elif self.path != "/":
                self._answer(f"POST {self.path}", json.loads(body))
            else:
                form = {key: values[0] for key, values in parse_qs(body.decode()).items()}
                self._answer(form.pop("Action"), form)

        def _answer(self, operation: str, parameters: Json) -> None:
            here.calls.append((operation, parameters))
            status, body = answers[operation](parameters) if operation in answers else (400, b"")
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            del format, args

    server.RequestHandlerClass = Handler
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield here
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)
