"""Stands in front of the API: records every call, and makes AWS fail on request.

A fault names a region, a service and an action, each `*` for any, and what happens to their calls: the connection is
reset (`refuse`), no answer comes (`hang`), it comes late (`slow`), or it is an error that AWS gives (`throttle`,
`unavailable`). It can meet a share of the calls alone, by dice whose seed is given. A failover is judged
by what this place saw, not by what the failover says of itself (design D4).
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import socket
import struct
import time
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from bicoastal.twin.cloud.answers import ServiceError
from bicoastal.twin.cloud.changes import CHANGES, changes_state
from bicoastal.twin.cloud.emulator import action_of

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Connections = dict[tuple[str, int], asyncio.Transport]

KEPT_CALLS = 20_000
ADMIN = "/_twin/"
SERVICE_HEADER = "x-twin-service"
"""Carries the token in calls of the twin's own controllers: AWS's services from within, which no fault of the API meets
and no record of the customer's calls holds."""
_THROTTLED = {"s3": ("SlowDown", 503)}
"""Code and status where a service does not say `Throttling`: S3 API Reference, "Error responses"."""
_UNAVAILABLE = ("ServiceUnavailable", 503)
GLOBAL_HOME = "us-east-1"
GLOBAL_SERVICES = ("cloudfront", "iam", "organizations", "route53")
"""Their control planes are in GLOBAL_HOME, whatever region a client with an endpoint of its own signs for."""
_LONGEST_WAIT_S = 30.0
_CREDENTIAL = re.compile(r"Credential=([^/,]+)/\d{8}/([^/,]+)/([^/,]+)/aws4_request")
_ERROR_CODE = re.compile(rb"<Code>([^<]+)</Code>|\"(?:__type|code|Code)\"\s*:\s*\"(?:[^\"#]*#)?([^\"]+)\"")


@dataclass(frozen=True)
class Fault:
    """What happens to calls of a kind, until it is lifted."""

    kind: str
    """`refuse`, `hang`, `slow`, `throttle` or `unavailable`."""
    region: str = "*"
    service: str = "*"
    """As in the signature of the call: `rds`, `elasticloadbalancing`, `monitoring`."""
    action: str = "*"
    seconds: float | None = None
    """How long a `hang` lasts until the connection is reset (None: until the caller gives up or the fault is lifted),
    and how late a `slow` one is forwarded."""
    share: float = 1.0
    """Of the calls that it covers: each meets it with this probability."""
    seed: int = 0
    """Of the dice: the same calls in the same order meet the same faults."""

    def __post_init__(self) -> None:
        """Raise ValueError for a kind that does not exist, and for a slow one without its time."""
        if self.kind not in ("refuse", "hang", "slow", "throttle", "unavailable"):
            raise ValueError(f"{self.kind!r} is no fault: give refuse, hang, slow, throttle or unavailable")
        if self.kind == "slow" and self.seconds is None:
            raise ValueError("a slow fault needs its seconds")
        if not 0 <= self.share <= 1:
            raise ValueError(f"a share of {self.share:g} is none: give one from 0 to 1")

    def covers(self, call: Identity) -> bool:
        """Whether the call meets it."""
        return (
            fnmatchcase(call.region, self.region)
            and fnmatchcase(call.service, self.service)
            and fnmatchcase(call.action, self.action)
        )


@dataclass(frozen=True)
class Identity:
    """Which call it is, as its signature and its body say."""

    service: str
    region: str
    action: str
    access_key_id: str


@dataclass(frozen=True)
class Seen:
    """A call as the gateway saw it end."""

    number: int
    at: float
    """Seconds since the epoch at which it came."""
    service: str
    region: str
    action: str
    outcome: str
    """`ok`, AWS's error code, or the fault that it met."""
    seconds: float
    access_key_id: str


class Gateway:
    """An ASGI application around another one."""

    def __init__(self, inner: Any, token: str, file: Path) -> None:
        """`file` takes a JSON line for every call."""
        self.connections: Connections = {}
        self._inner = inner
        self._token = token
        self._file = file
        self._faults: tuple[Fault, ...] = ()
        self._dice: dict[Fault, random.Random] = {}
        self._lifted = asyncio.Event()
        self._calls: deque[Seen] = deque(maxlen=KEPT_CALLS)
        self._number = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the lifespan of the server."""
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
        elif scope["path"].startswith(ADMIN):
            await self._admin(scope, receive, send)
        else:
            await self._serve(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.time()
        body = await _read(receive)
        call = identify(scope, body)
        if self._is_service(scope):
            if await self._forward(scope, body, receive, send) == "ok" and changes_state(call.action):
                CHANGES.bump()
            return
        fault = next((fault for fault in self._faults if fault.covers(call) and self._falls_on(fault)), None)
        try:
            if fault is not None and fault.kind == "slow":
                await asyncio.sleep(fault.seconds or 0.0)
                fault = None
            if fault is None:
                outcome = await self._forward(scope, body, receive, send)
            else:
                outcome = await self._fail(fault, call, scope, receive, send)
        except asyncio.CancelledError:
            self._record(call, "abandoned", started)
            raise
        self._record(call, outcome, started)
        if fault is None and outcome != "abandoned" and changes_state(call.action):
            self._tell_trails(call, body, outcome)
        if outcome == "ok" and changes_state(call.action):
            CHANGES.bump()

    def _tell_trails(self, call: Identity, body: bytes, outcome: str) -> None:
        from bicoastal.twin.cloud.handlers.trail import seen  # noqa: PLC0415 - it loads ministack

        seen(call.service, call.region, call.action, body, outcome)

    def _is_service(self, scope: Scope) -> bool:
        wanted = (SERVICE_HEADER.encode(), self._token.encode())
        return any((name.lower(), value) == wanted for name, value in scope["headers"])

    async def _forward(self, scope: Scope, body: bytes, receive: Receive, send: Send) -> str:
        answer = _Answer(send)
        given = False

        async def replay() -> MutableMapping[str, Any]:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        # Policies demand TLS (aws:SecureTransport). The loopback interface of one machine stands for it here.
        await self._inner({**scope, "scheme": "https"}, replay, answer)
        return answer.outcome

    async def _fail(self, fault: Fault, call: Identity, scope: Scope, receive: Receive, send: Send) -> str:
        if fault.kind == "hang":
            await self._hang(fault, receive)
        if fault.kind in ("refuse", "hang"):
            self._reset(scope)
            return fault.kind
        code, status = _THROTTLED.get(call.service, ("Throttling", 400)) if fault.kind == "throttle" else _UNAVAILABLE
        await _error(send, scope, call, code, status)
        return code

    async def _hang(self, fault: Fault, receive: Receive) -> None:
        gone = asyncio.ensure_future(_disconnected(receive))
        lifted = asyncio.ensure_future(self._lifted.wait())
        try:
            await asyncio.wait({gone, lifted}, timeout=fault.seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
            lifted.cancel()

    def _reset(self, scope: Scope) -> None:
        """As a host that is not there: the connection ends with a reset, and no answer."""
        transport = self.connections.get(tuple(scope["client"]))
        if transport is None:
            return
        connection = transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()

    def _record(self, call: Identity, outcome: str, started: float) -> None:
        self._number += 1
        seen = Seen(
            self._number,
            started,
            call.service,
            call.region,
            call.action,
            outcome,
            time.time() - started,
            call.access_key_id,
        )
        self._calls.append(seen)
        with self._file.open("a") as stream:
            stream.write(json.dumps(asdict(seen)) + "\n")

    async def _admin(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        if headers.get(b"authorization", b"").decode() != f"Bearer {self._token}":
            await _json(send, 403, {"error": "the token of this twin is needed"})
            return
        body = await _read(receive)
        path = scope["path"].removeprefix(ADMIN)
        if path == "faults" and scope["method"] == "PUT":
            try:
                self._put_faults(json.loads(body))
            except (ValueError, TypeError) as error:
                await _json(send, 400, {"error": str(error)})
                return
            await _json(send, 200, [asdict(fault) for fault in self._faults])
        elif path == "faults":
            await _json(send, 200, [asdict(fault) for fault in self._faults])
        elif path == "sessions" and scope["method"] == "PUT":
            await self._open_session(send, body)
        elif path.startswith("reports/") and scope["method"] == "PUT":
            await self._take_report(send, path.removeprefix("reports/"), body)
        elif path == "calls":
            after = int(parse_qs(scope["query_string"].decode()).get("after", ["0"])[0])
            await _json(send, 200, [asdict(seen) for seen in self._calls if seen.number > after])
        elif path == "changes":
            asked = parse_qs(scope["query_string"].decode())
            wait_s = min(float(asked.get("wait", ["0"])[0]), _LONGEST_WAIT_S)
            await _json(send, 200, await CHANGES.beyond(int(asked.get("after", ["0"])[0]), wait_s))
        else:
            await _json(send, 404, {"error": f"there is no {path}: faults, calls, changes, reports and sessions are"})

    async def _take_report(self, send: Send, name: str, body: bytes) -> None:
        """What a controller says of what it runs: `{"region": ..., ...}`."""
        from bicoastal.twin.cloud.registry import take_report  # noqa: PLC0415 - it loads ministack

        try:
            data = json.loads(body)
            await _json(send, 200, take_report(name, data.pop("region"), data))
        except ServiceError as error:
            await _json(send, 400, {"error": str(error), "code": error.code})
        except (KeyError, TypeError, ValueError) as error:
            await _json(send, 400, {"error": f"{type(error).__name__}: {error}", "code": "ValidationError"})

    async def _open_session(self, send: Send, body: bytes) -> None:
        """Credentials of a role, as one of AWS's services takes them: `{"role", "service", "name", "seconds"}`."""
        from bicoastal.twin.cloud.handlers.sts import service_session  # noqa: PLC0415 - it loads ministack

        try:
            await _json(send, 200, service_session(**json.loads(body)))
        except (ServiceError, TypeError, ValueError) as error:
            await _json(send, 400, {"error": str(error)})

    def _falls_on(self, fault: Fault) -> bool:
        return fault.share >= 1 or self._dice[fault].random() < fault.share

    def _put_faults(self, wanted: Any) -> None:
        self._faults = tuple(Fault(**item) for item in wanted)
        # A fault that stays keeps its dice: another that is added does not begin them anew.
        self._dice = {
            fault: self._dice.get(fault) or random.Random(fault.seed)  # noqa: S311 - a rehearsal, not a secret
            for fault in self._faults
        }
        self._lifted.set()
        self._lifted = asyncio.Event()


class _Answer:
    """Passes the answer on and keeps what it was."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._status = 0
        self._body = b""

    async def __call__(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
        elif self._status >= 400 and len(self._body) < 4096:
            self._body += message.get("body", b"")
        await self._send(message)

    @property
    def outcome(self) -> str:
        if self._status == 0:
            return "abandoned"
        if self._status < 400:
            return "ok"
        found = _ERROR_CODE.search(self._body)
        return (found[1] or found[2]).decode(errors="replace") if found else f"HTTP {self._status}"


def identify(scope: Scope, body: bytes) -> Identity:
    """Which service, region and action a request asks; `unknown` for what an unsigned one does not say."""
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    query = parse_qs(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
    presigned = query.get("X-Amz-Credential", [""])[0]
    found = _CREDENTIAL.search(headers.get("authorization", "")) or _CREDENTIAL.search(f"Credential={presigned}")
    access_key_id, region, service = found.groups() if found else ("", "unknown", "unknown")
    if service in GLOBAL_SERVICES:
        region = GLOBAL_HOME
    action = action_of(service, scope["method"], scope["path"], headers=headers, body=body, query=query)
    return Identity(service, region, action, access_key_id)


def protocol(connections: Connections) -> type[asyncio.Protocol]:
    """The HTTP protocol of the server, which also knows each client's connection, so that one can be reset."""
    from uvicorn.protocols.http.h11_impl import H11Protocol  # noqa: PLC0415

    class Known(H11Protocol):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._peer = transport.get_extra_info("peername")[:2]
            connections[self._peer] = transport

        def connection_lost(self, exc: Exception | None) -> None:
            connections.pop(self._peer, None)
            super().connection_lost(exc)

    return Known


async def _read(receive: Receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            break
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            break
    return b"".join(parts)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _json(send: Send, status: int, data: Any) -> None:
    body = json.dumps(data).encode()
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": body})


async def _error(send: Send, scope: Scope, call: Identity, code: str, status: int) -> None:
    """In the form in which the service gives its errors: JSON where it was asked in JSON."""
    message = f"The twin was told to fail {call.service}:{call.action} in {call.region}."
    if any(b"json" in value for name, value in scope["headers"] if name == b"content-type"):
        await _json(send, status, {"__type": code, "message": message})
        return
    body = (
        f"<ErrorResponse><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>"
        f"<Error><Type>Receiver</Type><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
    )
    headers = [(b"content-type", b"text/xml"), (b"x-amzn-errortype", code.encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body.encode()})
