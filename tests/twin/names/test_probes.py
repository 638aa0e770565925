"""One probe each, of real servers: what passes, what fails, what the server sees, and in which words it is told."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bicoastal.twin.authority import Authority
from bicoastal.twin.names.checks import Check
from bicoastal.twin.names.probes import Limits, Seen, probe
from bicoastal.twin.pace import FAST, REAL
from tests.twin.names.endpoints import Endpoint, reply

LIMITS = Limits(connect_s=5, tcp_s=5, answer_s=0.5)


@pytest.fixture
def plain() -> Iterator[Endpoint]:
    with Endpoint() as endpoint:
        yield endpoint


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[Endpoint]:
    with Endpoint(authority=(Authority(tmp_path), tmp_path)) as endpoint:
        yield endpoint


def look(endpoint: Endpoint, kind: str = "HTTP", source: str = "", **more: object) -> Seen:
    check = replace(Check("check-1", 1, kind, host="www.example.com", port=endpoint.port), **more)  # type: ignore[arg-type]
    return asyncio.run(probe(check, endpoint.address, LIMITS, source))


@pytest.mark.parametrize(("status", "passes"), [(200, True), (204, True), (302, True), (404, False), (503, False)])
def test_a_status_of_2xx_and_3xx_passes(plain: Endpoint, status: int, passes: bool) -> None:
    plain.answer = reply(status)
    seen = look(plain)
    assert seen.success is passes
    assert f"HTTP Status Code {status}" in seen.text
    assert "Resolved IP: 127.0.0.1" in seen.text


def test_it_says_who_it_is_and_whom_it_wants(plain: Endpoint) -> None:
    look(plain, path="/healthz", source="127.0.0.77")
    lines = plain.asked.decode().split("\r\n")
    assert lines[0] == "GET /healthz HTTP/1.1"
    assert f"Host: www.example.com:{plain.port}" in lines, "the port is told where it is not the usual one"
    assert any(line.startswith("User-Agent: Amazon-Route53-Health-Check-Service") for line in lines)
    assert plain.sources == ["127.0.0.77"]


def test_no_certificate_is_validated_and_the_name_is_sent_where_it_is_wanted(secure: Endpoint) -> None:
    assert look(secure, "HTTPS", sni=True).success
    assert look(secure, "HTTPS", sni=False).success
    assert secure.names == ["www.example.com", None]


@pytest.mark.parametrize(
    ("body", "passes"),
    [
        (b"on:2;", True),
        (b"off", False),
        (b"x" * 5115 + b"on:2;", True),
        (b"x" * 5116 + b"on:2;", False),
    ],
)
def test_a_string_is_looked_for_in_the_first_5120_bytes(plain: Endpoint, body: bytes, passes: bool) -> None:
    plain.answer = reply(200, body)
    assert look(plain, "HTTP_STR_MATCH", search="on:2;").success is passes
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:3], body[3:])) + b"0\r\n\r\n"
    plain.answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks
    assert look(plain, "HTTP_STR_MATCH", search="on:2;").success is passes
    plain.answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + body
    assert look(plain, "HTTP_STR_MATCH", search="on:2;").success is passes


def test_a_string_in_an_answer_that_is_an_error_does_not_count(plain: Endpoint) -> None:
    plain.answer = reply(503, b"on:2;")
    assert not look(plain, "HTTP_STR_MATCH", search="on:2;").success


def test_who_says_nothing_who_refuses_and_who_speaks_something_else_fail(plain: Endpoint) -> None:
    plain.silent = True
    assert look(plain) == Seen(False, "Failure: The endpoint did not respond in time. Resolved IP: 127.0.0.1.")
    assert look(plain, "TCP").success, "it takes connections"
    plain.silent = False
    plain.answer = b"SSH-2.0-something\r\n\r\n"
    assert "answered no HTTP" in look(plain).text
    plain.stop()
    assert look(plain).text.startswith("Failure: Connection refused")


def test_who_speaks_no_tls_fails_and_is_quoted() -> None:
    def greet() -> None:
        connection, _ = door.accept()
        with connection:
            connection.sendall(b"220 mail.example.com ESMTP\r\n")
            connection.recv(65536)

    with socket.create_server(("127.0.0.1", 0)) as door:
        greeting = threading.Thread(target=greet)
        greeting.start()
        check = Check("check-1", 1, "HTTPS", address="127.0.0.1", port=door.getsockname()[1])
        assert asyncio.run(probe(check, "127.0.0.1", LIMITS)).text.startswith("Failure: SSL alert WRONG_VERSION_NUMBER")
        greeting.join(10)


def test_a_connection_that_is_never_made_times_out() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(full.getsockname())
        check = Check("check-1", 1, "TCP", address="127.0.0.1", port=full.getsockname()[1])
        seen = asyncio.run(probe(check, "127.0.0.1", replace(LIMITS, tcp_s=0.3)))
        for each in waiting:
            each.close()
    assert seen == Seen(False, "Failure: The connection timed out.")


def test_deadlines_are_route_53s_and_no_shorter_than_a_second_however_fast_clocks_run() -> None:
    assert Limits.at(REAL) == Limits(4, 10, 2)
    assert Limits.at(FAST) == Limits(1, 1, 1)
