"""Session Manager's data channel: what `session-manager-plugin` and the agent on an instance say to each other.

A WebSocket, on it messages of a fixed head and a payload, each acknowledged. It has no reference page: the layout is
that of AWS's open-source plugin (github.com/aws/session-manager-plugin, `src/message`). Here are both ends' words, and
the end of a client that types lines.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import secrets
import socket
import struct
import time
import uuid
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, BytesMessage, CloseConnection, Event, Ping, Request, TextMessage
from wsproto.utilities import ProtocolError

from bicoastal.core.errors import SystemFault

Json = Any
INPUT, OUTPUT, ACKNOWLEDGE, CLOSED = "input_stream_data", "output_stream_data", "acknowledge", "channel_closed"
TEXT, HANDSHAKE_REQUEST, HANDSHAKE_RESPONSE, HANDSHAKE_COMPLETE = 1, 5, 6, 7
"""Types of payloads of the two kinds of stream data."""
PROMPT = "$ "
_HEAD = struct.Struct(">I32sIQqQ16s32sI")
_LENGTH = struct.Struct(">I")
_FIRST, _LAST = 1, 2
"""Flags: the first message of a stream, and its last."""
_BYTES = 65536
_CONNECT_S = 5.0


@dataclass(frozen=True)
class Message:
    """One of either direction."""

    kind: str
    payload: bytes
    payload_type: int = 0
    sequence: int = 0
    id: uuid.UUID = field(default_factory=uuid.uuid4)

    def encode(self) -> bytes:
        """As it goes over the channel."""
        digest = hashlib.sha256(self.payload).digest()
        low_half_first = self.id.bytes[8:] + self.id.bytes[:8]
        head = _HEAD.pack(
            _HEAD.size, self.kind.ljust(32).encode(), 1, int(time.time() * 1000), self.sequence,
            _FIRST if self.sequence == 0 else 0, low_half_first, digest, self.payload_type,
        )  # fmt: skip
        return head + _LENGTH.pack(len(self.payload)) + self.payload


def decode(data: bytes) -> Message:
    """Read one. Raises SystemFault for what is none. Digests are not looked at: clients write them differently."""
    if len(data) < _HEAD.size + _LENGTH.size:
        raise SystemFault(f"a message of a session has {len(data)} bytes: its head alone has {_HEAD.size}")
    head, kind, _, _, sequence, _, halves, _, payload_type = _HEAD.unpack_from(data)
    (length,) = _LENGTH.unpack_from(data, head)
    payload = data[head + _LENGTH.size : head + _LENGTH.size + length]
    name = kind.decode(errors="replace").strip(" \0")
    return Message(name, payload, payload_type, sequence, uuid.UUID(bytes=halves[8:] + halves[:8]))


def acknowledgement(of: Message) -> Message:
    """What answers stream data."""
    said = {
        "AcknowledgedMessageType": of.kind,
        "AcknowledgedMessageId": str(of.id),
        "AcknowledgedMessageSequenceNumber": of.sequence,
        "IsSequentialMessage": True,
    }
    return Message(ACKNOWLEDGE, json.dumps(said).encode())


class WebSocket:
    """Events over a socket that is connected; either end's. Not for several threads."""

    def __init__(self, door: socket.socket, end: ConnectionType) -> None:
        self._door = door
        self._ws = WSConnection(end)
        self._came: deque[Event] = deque()

    def send(self, event: Event) -> None:
        """Send one. Raises SystemFault where the other end is gone."""
        try:
            self._door.sendall(self._ws.send(event))
        except (OSError, ProtocolError) as error:
            raise SystemFault(f"the session's channel is gone: {error}") from error

    def receive(self, within_s: float) -> Event | None:
        """The next one; None when none came in time. Raises SystemFault at the channel's end."""
        end = time.monotonic() + within_s
        while not self._came:
            left = end - time.monotonic()
            if left <= 0:
                return None
            self._door.settimeout(left)
            try:
                data = self._door.recv(_BYTES)
                self._ws.receive_data(data or None)
                self._came.extend(self._ws.events())
            except TimeoutError:
                return None
            except (OSError, ProtocolError) as error:
                raise SystemFault(f"the session's channel is gone: {error}") from error
        event = self._came.popleft()
        if isinstance(event, Ping):
            self.send(event.response())
            return self.receive(max(end - time.monotonic(), 0.0))
        if isinstance(event, CloseConnection):
            raise SystemFault(f"the session's channel was closed: {event.reason or event.code}")
        return event

    def close(self, linger_s: float = 0.0) -> None:
        """End it; the other end is given so long to read what was said last, which a reset would take from it."""
        with contextlib.suppress(OSError):
            self._door.shutdown(socket.SHUT_WR)
            self._door.settimeout(linger_s)
            while linger_s and self._door.recv(_BYTES):
                pass
        self._door.close()


class Stream:
    """Messages of one end over a WebSocket: numbered, and what comes acknowledged."""

    def __init__(self, web: WebSocket, kind: str) -> None:
        """`kind` is what this end sends: OUTPUT is the agent's, INPUT the client's."""
        self._web = web
        self._kind = kind
        self._next = 0

    def say(self, payload: bytes, payload_type: int = TEXT) -> None:
        """Send stream data. Raises SystemFault."""
        self._send(Message(self._kind, payload, payload_type, self._next))
        self._next += 1

    def tell(self, payload_type: int, data: Json) -> None:
        """Send a JSON document as stream data. Raises SystemFault."""
        self.say(json.dumps(data).encode(), payload_type)

    def end(self, why: str) -> None:
        """Say that it is over. Raises SystemFault."""
        said = {"MessageType": CLOSED, "Output": why, "SchemaVersion": 1}
        self._send(Message(CLOSED, json.dumps(said).encode()))

    def hear(self, within_s: float) -> Message | None:
        """The next stream data; None when none came in time. Raises SystemFault when it is over."""
        end = time.monotonic() + within_s
        while (event := self._web.receive(max(end - time.monotonic(), 0.0))) is not None:
            if not isinstance(event, BytesMessage):
                continue
            message = decode(bytes(event.data))
            if message.kind == CLOSED:
                said = json.loads(message.payload or b"{}")
                raise SystemFault(f"the session is over: {said.get('Output') or 'it was terminated'}")
            if message.kind in (INPUT, OUTPUT):
                with contextlib.suppress(SystemFault):  # that the other end is gone is told by what it said last
                    self._send(acknowledgement(message))
                return message
        return None

    def _send(self, message: Message) -> None:
        self._web.send(BytesMessage(data=message.encode()))


class Client:
    """A session as somebody who types lines has it; a context manager. StartSession gives `url` and `token`."""

    def __init__(self, url: str, token: str) -> None:
        """Connect and shake hands. Raises SystemFault where nobody is there, or the session is not let in."""
        where = urlsplit(url)
        try:
            door = socket.create_connection((where.hostname or "", where.port or 80), _CONNECT_S)
        except OSError as error:
            raise SystemFault(f"{url}: no session can be had: {error}") from error
        self._web = WebSocket(door, ConnectionType.CLIENT)
        self._stream = Stream(self._web, INPUT)
        try:
            self._web.send(Request(host=where.netloc, target=f"{where.path}?{where.query}"))
            if not isinstance(self._web.receive(_CONNECT_S), AcceptConnection):
                raise SystemFault(f"{url}: the session was not accepted")
            opening = {"MessageSchemaVersion": "1.0", "RequestId": str(uuid.uuid4()), "TokenValue": token}
            self._web.send(TextMessage(data=json.dumps({**opening, "ClientId": str(uuid.uuid4())})))
            asked = self._stream.hear(_CONNECT_S)
            if asked is None or asked.payload_type != HANDSHAKE_REQUEST:
                raise SystemFault(f"{url}: the agent did not shake hands")
            actions = json.loads(asked.payload).get("RequestedClientActions", [])
            done = [{"ActionType": action["ActionType"], "ActionStatus": 1} for action in actions]
            self._stream.tell(HANDSHAKE_RESPONSE, {"ClientVersion": "1.2.0.0", "ProcessedClientActions": done})
        except BaseException:
            self._web.close()
            raise

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Hang up. The session itself goes on until it is terminated."""
        self._web.close()

    def run(self, line: str, within_s: float = 30.0) -> tuple[int, str]:
        """Type a line; returns its exit code and what it printed. Raises SystemFault when the session is over."""
        mark = secrets.token_hex(8)
        # Its own echo must not be taken for the end: what is printed is not what was typed.
        self._stream.say(f"{line}; echo {mark}'='$?\n".encode())
        said = ""
        for text in self._heard(within_s):
            said += text
            before, found, after = said.partition(f"{mark}=")
            if found and "\n" in after:
                return int(after.split("\n")[0]), before.removeprefix(PROMPT)
        raise SystemFault(f"the session has not answered within {within_s:.0f} s: {line}")

    def await_end(self, within_s: float) -> str:
        """Why it ended. Raises SystemFault where it goes on."""
        try:
            for _ in self._heard(within_s):
                pass
        except SystemFault as over:
            return str(over)
        raise SystemFault(f"the session still goes on after {within_s:.0f} s")

    def _heard(self, within_s: float) -> Iterator[str]:
        end = time.monotonic() + within_s
        while (message := self._stream.hear(max(end - time.monotonic(), 0.0))) is not None:
            if message.payload_type == TEXT:
                yield message.payload.decode(errors="replace")
