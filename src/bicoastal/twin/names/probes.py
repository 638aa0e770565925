"""One request of a health checker to an endpoint, as Route 53 makes it: a new connection, no certificate validated.

It says what was seen in the words that GetHealthCheckStatus uses. Whether the connection may exist, and what a name
leads to, is decided before.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from dataclasses import dataclass
from functools import lru_cache
from http.client import responses

from bicoastal.twin.addresses import reachable_port
from bicoastal.twin.names.checks import Check
from bicoastal.twin.pace import Pace

SEARCHED_BYTES = 5120
_LONGEST_HEAD = 65536
_AGENT = "Amazon-Route53-Health-Check-Service (ref {id}; report http://amzn.to/1vsZADi)"
_CONNECT_S, _CONNECT_TCP_S, _ANSWER_S = 4.0, 10.0, 2.0
_SHORTEST_S = 1.0


@dataclass(frozen=True)
class Limits:
    """Deadlines in seconds."""

    connect_s: float
    """For the connection, TLS included."""
    tcp_s: float
    """The same for a check of kind TCP, which asks no more."""
    answer_s: float
    """From there to the status, and as long again to the body that is searched."""

    @classmethod
    def at(cls, pace: Pace) -> Limits:
        """Route 53's 4, 10 and 2 s by the pace, but never below a second.

        What a server needs for an answer is no timer of AWS's, and does not get shorter when clocks run faster.
        """
        return cls(
            *(max(pace.seconds(limit), min(limit, _SHORTEST_S)) for limit in (_CONNECT_S, _CONNECT_TCP_S, _ANSWER_S))
        )


@dataclass(frozen=True)
class Seen:
    """What a probe found."""

    success: bool
    text: str


async def probe(check: Check, address: str, limits: Limits, source: str = "") -> Seen:
    """Ask the endpoint at an address, from `source`. Never raises for what an endpoint does."""
    tail = f" Resolved IP: {address}." if check.host and not check.address else ""
    connection: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(limits.tcp_s if check.kind == "TCP" else limits.connect_s):
            reader, connection = await _connect(check, address, source)
        if check.kind == "TCP":
            return Seen(True, "Success: TCP connection succeeded." + tail)
        connection.write(_request(check, address))
        return await _judge(check, reader, limits.answer_s, tail)
    except TimeoutError:
        what = "The connection timed out." if connection is None else "The endpoint did not respond in time."
        return Seen(False, f"Failure: {what}{tail}")
    except ConnectionRefusedError:
        return Seen(False, f"Failure: Connection refused.{tail}")
    except ssl.SSLError as error:
        return Seen(False, f"Failure: SSL alert {error.reason or error}.{tail}")
    except (OSError, EOFError, ValueError) as error:
        return Seen(False, f"Failure: The endpoint closed the connection or answered no HTTP: {error}.{tail}")
    finally:
        if connection is not None:
            # A graceful end of TLS would wait for the other side's.
            connection.transport.abort()


async def _connect(check: Check, address: str, source: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection(
        address,
        reachable_port(check.port),
        ssl=_context() if check.secure else None,
        server_hostname=(check.host if check.sni else "") if check.secure else None,
        local_addr=(source, 0) if source else None,
        limit=_LONGEST_HEAD,
    )


async def _judge(check: Check, reader: asyncio.StreamReader, answer_s: float, tail: str) -> Seen:
    async with asyncio.timeout(answer_s):
        status, headers = await _head(reader)
    said = f"HTTP Status Code {status}, {responses.get(status, 'Unknown')}.{tail}"
    if not 200 <= status < 400:
        return Seen(False, f"Failure: {said}")
    if check.search:
        async with asyncio.timeout(answer_s):
            body = await _body(reader, headers)
        if check.search.encode() not in body:
            where = f"The string did not appear in the first {SEARCHED_BYTES} bytes of the response."
            return Seen(False, f"Failure: {said} {where}")
    return Seen(True, f"Success: {said}")


def _request(check: Check, address: str) -> bytes:
    host = check.host or check.address or address
    if check.port != (443 if check.secure else 80):
        host = f"{host}:{check.port}"
    lines = (
        f"GET {check.path} HTTP/1.1",
        f"Host: {host}",
        f"User-Agent: {_AGENT.format(id=check.id)}",
        "Accept: */*",
        "Connection: close",
    )
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def _head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    """Status and headers. Raises ValueError for what is no HTTP."""
    while True:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        except asyncio.LimitOverrunError as error:
            raise ValueError("its header is too long") from error
        first, *lines = head.split("\r\n")
        version, _, rest = first.partition(" ")
        if not version.startswith("HTTP/1.") or not rest[:3].isdigit():
            raise ValueError(f"{first[:40]!r}")
        status = int(rest[:3])
        if status < 100 or status >= 200:
            pairs = (line.partition(":") for line in lines if ":" in line)
            return status, {name.strip().lower(): value.strip() for name, _, value in pairs}


async def _body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    """As much of the body as is searched."""
    if headers.get("transfer-encoding", "").lower().endswith("chunked"):
        return await _chunks(reader)
    wanted = min(int(headers.get("content-length") or SEARCHED_BYTES), SEARCHED_BYTES)
    body = b""
    while len(body) < wanted and (more := await reader.read(wanted - len(body))):
        body += more
    return body


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while len(body) < SEARCHED_BYTES:
        size = int((await reader.readuntil(b"\r\n")).split(b";")[0], 16)
        if size == 0:
            break
        part = await _up_to(reader, min(size, SEARCHED_BYTES - len(body)))
        body += part
        if len(part) < size:
            break
        await reader.readexactly(2)
    return body


async def _up_to(reader: asyncio.StreamReader, size: int) -> bytes:
    with contextlib.suppress(asyncio.IncompleteReadError):
        return await reader.readexactly(size)
    return b""


@lru_cache(maxsize=1)
def _context() -> ssl.SSLContext:
    """Made once: it costs more than a handshake. No session is kept in it, and no authority: nothing is validated."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
