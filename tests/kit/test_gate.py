"""The gate by real connections: many, slow, broken, and with bodies."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from bicoastal.kit.errors import UnavailableError
from bicoastal.kit.gate import Gate, answer
from tests.support.postgres import free_port


@pytest.fixture
def gate() -> Iterator[Gate]:
    made = Gate(free_port(), "127.0.0.1")
    made.start()
    yield made
    made.stop()


def ask(gate: Gate, method: str = "GET", path: str = "/", body: bytes | None = None) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", gate.port, timeout=5)
    connection.request(method, path, body=body)
    response = connection.getresponse()
    response.read()
    connection.close()
    return response


def test_every_request_is_told_to_come_back(gate: Gate) -> None:
    for method in ("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS"):
        response = ask(gate, method, "/orders?x=1", b"x" * 1_000_000 if method == "POST" else None)
        assert (response.status, response.headers["Retry-After"]) == (503, "5")
        assert response.headers["Cache-Control"] == "no-store"
    assert ask(gate, path="/.well-known/bicoastal/gate").status == 200
    assert ask(gate, path="/.well-known/bicoastal/gate/more").status == 503


def test_a_head_has_no_body() -> None:
    assert answer(b"HEAD / HTTP/1.1\r\n\r\n").endswith(b"\r\n\r\n")
    assert answer(b"GET / HTTP/1.1\r\n\r\n").rstrip().endswith(b"</html>")
    assert answer(b"nonsense\r\n\r\n").startswith(b"HTTP/1.1 503")


def test_many_at_once_while_others_hold_their_connections(gate: Gate) -> None:
    idle = [socket.create_connection(("127.0.0.1", gate.port), 5) for _ in range(40)]
    answers: list[int] = []
    threads = [threading.Thread(target=lambda: answers.append(ask(gate).status)) for _ in range(60)]
    begun = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    for connection in idle:
        connection.close()
    assert answers == [503] * 60
    assert time.monotonic() - begun < 10


def test_broken_connections_do_no_harm(gate: Gate) -> None:
    for data in (b"", b"GET /", b"\0" * 100_000):
        with socket.create_connection(("127.0.0.1", gate.port), 5) as connection:
            connection.sendall(data)
    assert ask(gate).status == 503


def test_a_taken_port_is_named(gate: Gate) -> None:
    with pytest.raises(UnavailableError, match=f"port {gate.port}: Address already in use"):
        Gate(gate.port, "127.0.0.1").start()
