"""Who is at the other end of a connection: which of the twin's programs, by what the kernel knows of its sockets.

Programs of an instance connect like any others, from 127.0.0.1: no address tells them apart. What they are allowed is
decided by whose they are, so that is looked up: socket to inode (the kernel's socket diagnostics, or /proc/net/tcp),
inode to process (/proc/PID/fd). It is done while a client waits, and a client that gave up cannot be found any more:
so the processes that connected before are looked at first.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

from bicoastal.twin import processes

Address = tuple[str, int]
Pair = tuple[Address, Address, int]
"""Local address, remote one, and inode of a socket."""

_LOOKS = 3
"""The kernel's table is no snapshot: a line may be missed while others come and go."""
_REMEMBERED = 64
_NETLINK_SOCK_DIAG, _SOCK_DIAG_BY_FAMILY, _DONE = 4, 20, 3
_REQUEST_AND_DUMP = 0x301
_CONNECTED = 0xFFF & ~(1 << 6 | 1 << 7 | 1 << 10)
"""Every state but TIME_WAIT, CLOSE and LISTEN: sockets that a process may hold, and that lead somewhere."""
_HEADER, _REQUEST = struct.Struct("=IHHII"), struct.Struct("=BBBBI2s2s16s16sI8s")
_ANSWER = struct.Struct("=BBBB2s2s16s16sI8sIIIII")
_recent: dict[int, None] = {}
_lock = threading.Lock()


def caller(peer: Address) -> str:
    """The owner (`Program.owner`) of the program that has this local address; empty for one that is not the twin's."""
    for _ in range(_LOOKS):
        inode = _inode(peer)
        if inode:
            break
    else:
        return ""
    wanted = f"socket:[{inode}]"
    for pid in _candidates():
        owner = processes.owner_of(pid)
        if owner and _holds(pid, wanted):
            return owner
    for owner, pids in processes.members_by_owner().items():
        for pid in pids:
            if _holds(pid, wanted):
                _remember(pid)
                return owner
    return ""


def _candidates() -> list[int]:
    with _lock:
        return list(reversed(_recent))


def _remember(pid: int) -> None:
    with _lock:
        _recent.pop(pid, None)
        _recent[pid] = None
        while len(_recent) > _REMEMBERED:
            del _recent[next(iter(_recent))]


def _inode(peer: Address) -> int:
    """Of the socket of a peer of ours; 0 where there is none.

    The kernel gives one local port to connections to different servers, so that the address alone may also be that of
    one to somebody else: the other end of ours is held here.
    """
    there: dict[Address, int] = {}
    here: dict[Address, int] = {}
    for at, to, inode in _sockets(peer[1]):
        if at == peer and inode:
            there[to] = inode
        elif to == peer:
            here[at] = inode
    if len(there) > 1:
        ours = {to: inode for to, inode in there.items() if to in here and _holds(os.getpid(), f"socket:[{here[to]}]")}
        there = ours or there
    return next(iter(there.values()), 0)


def _sockets(port: int) -> list[Pair]:
    """Those of which either end has this port."""
    try:
        return [*_diagnosed(port, 0), *_diagnosed(0, port)]
    except OSError:
        # A kernel without socket diagnostics; a long table is slow to read.
        return [pair for pair in _listed() if port in (pair[0][1], pair[1][1])]


def _diagnosed(source: int, destination: int) -> Iterator[Pair]:
    """IPv4 TCP sockets with these ports (0: any). Raises OSError where the kernel does not tell."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, _NETLINK_SOCK_DIAG) as kernel:
        kernel.settimeout(2)
        ports = struct.pack("!H", source), struct.pack("!H", destination)
        asked = _REQUEST.pack(socket.AF_INET, socket.IPPROTO_TCP, 0, 0, _CONNECTED, *ports, b"", b"", 0, b"\xff" * 8)
        head = _HEADER.pack(_HEADER.size + len(asked), _SOCK_DIAG_BY_FAMILY, _REQUEST_AND_DUMP, 1, 0)
        kernel.send(head + asked)
        while True:
            data = kernel.recv(65536)
            while data:
                length, kind, *_ = _HEADER.unpack_from(data)
                if kind == _DONE:
                    return
                if kind != _SOCK_DIAG_BY_FAMILY:
                    raise OSError("the kernel has no socket diagnostics")
                yield _pair(data[_HEADER.size : length])
                data = data[(length + 3) & ~3 :]


def _pair(data: bytes) -> Pair:
    _, _, _, _, at_port, to_port, at, to, *_, inode = _ANSWER.unpack_from(data)
    ports = struct.unpack("!H", at_port)[0], struct.unpack("!H", to_port)[0]
    return (socket.inet_ntoa(at[:4]), ports[0]), (socket.inet_ntoa(to[:4]), ports[1]), inode


def _listed() -> Iterator[Pair]:
    with contextlib.suppress(OSError), Path("/proc/net/tcp").open() as table:
        next(table, None)
        for line in table:
            fields = line.split()
            yield _address(fields[1]), _address(fields[2]), int(fields[9])


def _address(text: str) -> Address:
    host, _, port = text.partition(":")
    return socket.inet_ntoa(struct.pack("=I", int(host, 16))), int(port, 16)


def _holds(pid: int, wanted: str) -> bool:
    folder = f"/proc/{pid}/fd"
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):  # noqa: PTH208 - ten times as fast as Path, once for each open file
            with contextlib.suppress(OSError):
                if os.readlink(f"{folder}/{name}") == wanted:  # noqa: PTH115
                    return True
    return False
