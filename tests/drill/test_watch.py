"""Who watches names: each change of an answer is written down once, by the region whose address it is."""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest
from dnslib import RR, DNSRecord

from bicoastal.drill.watch import Change, NameWatch, until
from bicoastal.twin.addresses import DNS, reachable_port
from tests.drill.entries import EAST, WEST
from tests.support import running

NAME = "orders.example.com"
RESOLVER = "127.0.0.77"
OWN = {EAST: f"{EAST}.{NAME}", WEST: f"{WEST}.{NAME}"}


@dataclass
class Server:
    """Answers by what it is told; loses packets on request."""

    answers: dict[str, str] = field(
        default_factory=lambda: {OWN[EAST]: "127.9.1.1", OWN[WEST]: "127.9.1.2", NAME: "127.9.1.1"}
    )
    silent: bool = False
    asked: int = 0

    def serve(self, door: socket.socket) -> None:
        while True:
            try:
                packet, peer = door.recvfrom(4096)
            except OSError:
                return
            self.asked += 1
            question = DNSRecord.parse(packet)
            reply = question.reply()
            if address := self.answers.get(str(question.q.qname).rstrip(".")):
                reply.add_answer(*RR.fromZone(f"{question.q.qname} 6 IN A {address}"))
            if not self.silent:
                door.sendto(reply.pack(), peer)


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    door = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    door.bind((RESOLVER, reachable_port(DNS)))
    thread = threading.Thread(target=made.serve, args=(door,), daemon=True)
    thread.start()
    yield made
    door.close()


def watching() -> NameWatch:
    addresses = SimpleNamespace(resolver=RESOLVER, users=lambda _: ipaddress.IPv4Network("127.0.1.0/24"))
    return NameWatch(cast("Any", SimpleNamespace(addresses=addresses)), [NAME], WEST, OWN)


def test_a_change_is_written_down_once_and_a_lost_packet_is_none(server: Server) -> None:
    with watching() as watch:
        running.until("it is known", lambda: watch.now(NAME) == EAST)
        server.silent = True
        asked = server.asked
        running.until("it is asked in vain", lambda: server.asked > asked + 1)
        server.silent = False
        server.answers[NAME] = "127.9.1.2"
        running.until("it has changed", lambda: watch.now(NAME) == WEST)
        server.answers[NAME] = "127.9.1.9"
        running.until("it is nobody's", lambda: watch.now(NAME) == "127.9.1.9")
        del server.answers[NAME]
        running.until("it is gone", lambda: watch.now(NAME) == "")
    assert [change.answer for change in watch.changes] == [EAST, WEST, "127.9.1.9", ""]
    assert watch.now("another.example.com") is None


def test_changes_of_a_name_between_two_moments() -> None:
    changes = [Change(1, "a", EAST), Change(2, "b", EAST), Change(3, "a", WEST), Change(4, "a", EAST)]
    assert until(changes, "a", 1, 3) == [Change(3, "a", WEST)]
