"""CPU and memory of an instance's programs, as the kernel counts them; and whose process it is.

A program has a session of its own, and its children are in it. What an ended program took is kept before it is reaped:
afterwards nobody knows. A child that was killed and never waited for is lost.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass

from bicoastal.twin.interfaces import Usage

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_FRESH_S = 0.2
_STAT_BYTES = 4096
_lock = threading.Lock()
_seen: tuple[float, dict[int, list[int]]] = (float("-inf"), {})


@dataclass(frozen=True)
class Times:
    """Of one process: its own CPU seconds and those of children that it has waited for."""

    session: int
    parent: int
    cpu_s: float
    resident_bytes: int


def times(pid: int) -> Times | None:
    """Read /proc/PID/stat; also of one that has ended and is not reaped."""
    try:
        file = os.open(f"/proc/{pid}/stat", os.O_RDONLY)
    except OSError:
        return None
    try:
        fields = os.read(file, _STAT_BYTES).decode(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    finally:
        os.close(file)
    cpu = sum(int(field) for field in fields[11:15])
    return Times(int(fields[3]), int(fields[1]), cpu / _TICKS, int(fields[21]) * _PAGE)


def members(sessions: Iterable[int], *, fresh: bool = False) -> list[int]:
    """The processes of some sessions. Unless `fresh`, a look at all of /proc is shared for 0.2 s."""
    global _seen  # noqa: PLW0603 - one look for all instances
    with _lock:
        if fresh or time.monotonic() - _seen[0] > _FRESH_S:
            found: dict[int, list[int]] = {}
            for name in os.listdir("/proc"):  # noqa: PTH208 - names alone are wanted
                if name.isdecimal() and (seen := times(int(name))):
                    found.setdefault(seen.session, []).append(int(name))
            _seen = (time.monotonic(), found)
        return [pid for session in list(sessions) for pid in _seen[1].get(session, ())]


def of_sessions(sessions: Iterable[int], ended_s: float) -> Usage:
    """What the processes of some sessions take, and what ended ones have taken."""
    cpu, memory = ended_s, 0
    for pid in members(sessions):
        found = times(pid)
        if found is not None:
            cpu += found.cpu_s
            memory += _proportional(pid) or found.resident_bytes
    return Usage(cpu, memory)


def _proportional(pid: int) -> int:
    """Shared pages divided among those who share them; 0 where the kernel does not say."""
    try:
        with open(f"/proc/{pid}/smaps_rollup") as file:  # noqa: PTH123
            for line in file:
                if line.startswith("Pss:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def owner_of(pid: int, sessions: Iterable[int]) -> int | None:
    """The session, among these, that a process is of, or that one of its parents is of."""
    known = set(sessions)
    for _ in range(64):
        found = times(pid)
        if found is None or pid <= 1:
            return None
        if found.session in known:
            return found.session
        pid = found.parent
    return None


def holds_socket(sessions: Iterable[int], peer: tuple[str, int]) -> bool:
    """Whether a process of these sessions has the socket with this local address."""
    inode = _inode(peer)
    if not inode:
        return False
    wanted = f"socket:[{inode}]"
    for pid in members(sessions):
        folder = f"/proc/{pid}/fd"
        try:
            if any(_reads(f"{folder}/{name}") == wanted for name in os.listdir(folder)):  # noqa: PTH208
                return True
        except OSError:
            continue
    return False


def _reads(link: str) -> str:
    try:
        return os.readlink(link)  # noqa: PTH115
    except OSError:
        return ""


def _inode(peer: tuple[str, int]) -> str:
    packed = int.from_bytes(bytes(map(int, peer[0].split("."))), "little")
    local = f"{packed:08X}:{peer[1]:04X}"
    try:
        with open("/proc/net/tcp") as table:  # noqa: PTH123
            for line in table:
                fields = line.split()
                if fields[1] == local:
                    return fields[9]
    except OSError:
        pass
    return ""
