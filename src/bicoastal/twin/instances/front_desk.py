"""Takes what the tools on instances ask: `aws` calls, units to start, the power to be turned off.

One socket for all instances, with a name that no file system holds. Who asks is told by the kernel (the peer's process,
whose session is a unit's): a caller that is of no instance gets nothing, and none can speak for another one.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from bicoastal.core.errors import SystemFault
from bicoastal.twin.instances import aws_command, tool

_CALLS = 24
_PATIENCE_S = 900.0
"""For one call: as long as a download may take."""
_STRANGER = "this program is on no instance of the twin\n"


@dataclass(frozen=True)
class Asked:
    """A tool's command line."""

    tool: str
    folder: str
    region: str
    """AWS_REGION or AWS_DEFAULT_REGION of the caller."""
    arguments: tuple[str, ...]


class Answerer(Protocol):
    """The machine on which a caller is."""

    def answer(self, asked: Asked, session: int, files: aws_command.Files) -> aws_command.Said:
        """Do it; `session` is the caller's unit. May block."""


Find = Callable[[int], tuple[Answerer, int] | None]
"""A process id to the machine and the unit's session that it is of."""


class FrontDesk:
    """The socket, and the threads that serve who comes."""

    def __init__(self, name: str, find: Find) -> None:
        """`name` is that of the socket; the tools are made with it."""
        self.name = name
        self._find = find
        self._door: socket.socket | None = None
        self._workers = ThreadPoolExecutor(_CALLS, "twin-front-desk")
        self._thread = threading.Thread(target=self._accept, name="twin-front-desk", daemon=True)

    def open(self) -> None:
        """Listen. Raises SystemFault when another twin has this name."""
        door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            door.bind("\0" + self.name)
        except OSError as error:
            door.close()
            raise SystemFault(f"the instances' socket {self.name}: {error.strerror}.") from error
        door.listen(128)
        self._door = door
        self._thread.start()

    def close(self) -> None:
        """No more calls."""
        if self._door is not None:
            # A blocked accept is not ended by closing alone.
            with contextlib.suppress(OSError):
                self._door.shutdown(socket.SHUT_RDWR)
            self._door.close()
        self._workers.shutdown(wait=False, cancel_futures=True)

    def _accept(self) -> None:
        door = self._door
        while door is not None:
            try:
                caller, _ = door.accept()
            except OSError:
                return
            with contextlib.suppress(RuntimeError):
                self._workers.submit(self._serve, caller)

    def _serve(self, caller: socket.socket) -> None:
        with caller, contextlib.suppress(OSError, ValueError):
            caller.settimeout(_PATIENCE_S)
            wire = _Wire(caller)
            name, folder, region, *arguments = wire.receive().decode("utf-8", "surrogateescape").split("\0")
            found = self._find(_peer(caller))
            if found is None:
                wire.end(aws_command.Said(aws_command.FAILED, "", f"{name}: {_STRANGER}"))
                return
            machine, session = found
            try:
                said = machine.answer(Asked(name, folder, region, tuple(arguments)), session, wire)
            except SystemFault as error:
                said = aws_command.Said(1, "", f"{error}\n")
            wire.end(said)


def _peer(caller: socket.socket) -> int:
    size = struct.calcsize("3i")
    pid, _, _ = struct.unpack("3i", caller.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return int(pid)


class _Wire:
    """The frames of `tool`; as the `Files` of a call, it has the caller read and write."""

    def __init__(self, caller: socket.socket) -> None:
        self._caller = caller

    def read(self, path: str) -> bytes:
        self._send(b"r" + path.encode("utf-8", "surrogateescape"))
        self._agreed()
        parts = []
        while (told := self.receive())[:1] == b"d":
            parts.append(told[1:])
        if told[:1] != b"z":
            raise OSError(told[1:].decode(errors="replace"))
        return b"".join(parts)

    def write(self, path: str, chunks: Iterator[bytes]) -> None:
        self._send(b"w" + path.encode("utf-8", "surrogateescape"))
        self._agreed()
        for chunk in chunks:
            self._send(b"d" + chunk)

    def end(self, said: aws_command.Said) -> None:
        for kind, text in ((b"o", said.output), (b"e", said.errors)):
            if text:
                self._send(kind + text.encode("utf-8", "replace"))
        self._send(b"q%d" % said.code)

    def receive(self) -> bytes:
        size = int.from_bytes(self._exactly(tool.FRAME), "big")
        return self._exactly(size)

    def _agreed(self) -> None:
        told = self.receive()
        if told[:1] != b"k":
            raise OSError(told[1:].decode(errors="replace"))

    def _send(self, data: bytes) -> None:
        self._caller.sendall(len(data).to_bytes(tool.FRAME, "big") + data)

    def _exactly(self, size: int) -> bytes:
        parts: list[bytes] = []
        missing = size
        while missing:
            part = self._caller.recv(min(missing, 1 << 20))
            if not part:
                raise ConnectionResetError("the caller went away")
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)
