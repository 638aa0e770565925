"""Asks the twin's DNS again and again, as a resolver near a coast does, and writes down when an answer changes.

Users keep an answer for its TTL; who wants to know when DNS itself changed its mind, and how often, asks it.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bicoastal.twin.addresses import DNS, reachable_port
from bicoastal.twin.ground import Ground
from bicoastal.twin.names import packets

EVERY_S = 0.25
_ANSWER_S = 0.5
_HOST = 250
"""Of a coast's network: no user has this address."""


@dataclass(frozen=True)
class Change:
    """From this moment on a name was answered so. Seconds since the epoch."""

    at: float
    name: str
    answer: str
    """The region whose balancer it is; the address where it is no region's, empty where there was no answer."""


class NameWatch:
    """A context manager: a thread that asks."""

    def __init__(self, ground: Ground, names: Iterable[str], coast: str, own: Mapping[str, str]) -> None:
        """`names` are asked from a coast; `own`, the regions' own names, tell whose an address is."""
        self._names = tuple(names)
        self._resolver = (ground.addresses.resolver, reachable_port(DNS))
        self._source = str(ground.addresses.users(coast)[_HOST])
        self._own = own
        self._changes: list[Change] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="drill-names", daemon=True)

    @property
    def changes(self) -> Sequence[Change]:
        """Until now; the first of each name is what it was at the beginning."""
        return tuple(self._changes)

    def now(self, name: str) -> str | None:
        """What a name is answered with; None before it was asked."""
        return next((change.answer for change in reversed(self._changes) if change.name == name), None)

    def __enter__(self) -> NameWatch:
        """Begin to ask."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Ask no more."""
        self._stopping.set()
        self._thread.join(_ANSWER_S * (len(self._names) + len(self._own) + 1))

    def _run(self) -> None:
        known: dict[str, str] = {}
        regions: dict[str, str] = {}
        while True:
            for region in self._own.keys() - regions.values():
                if address := self._ask(self._own[region]):
                    regions[address] = region
            for name in self._names:
                address = self._ask(name)
                # A packet that was lost says nothing of the name.
                if address is None:
                    continue
                answer = regions.get(address, address)
                if known.get(name) != answer:
                    known[name] = answer
                    self._changes.append(Change(time.time(), name, answer))
            if self._stopping.wait(EVERY_S):
                return

    def _ask(self, name: str) -> str | None:
        """The first address; empty where there is none, None where nobody answered."""
        query = packets.write_question(name, "A", None)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
            door.settimeout(_ANSWER_S)
            try:
                door.bind((self._source, 0))
                door.connect(self._resolver)
                door.send(query)
                told = packets.read_answer(door.recv(packets.LARGEST_BYTES), query)
            except OSError:
                return None
        if told is None:
            return None
        return next((line.value for line in told.lines if line.type == "A"), "")


def until(changes: Iterable[Change], name: str, since: float, end: float) -> list[Change]:
    """The changes of a name after a moment, until another."""
    return [change for change in changes if change.name == name and since < change.at <= end]
