"""Asking over real UDP: what counts as an answer, and what does not."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from dnslib import QTYPE, RR, TXT, DNSRecord

from bicoastal.kit.errors import ConfigurationError, UnavailableError
from bicoastal.kit.witness import WitnessAnswer, ask, read, resolvers
from tests.support.instance import WitnessServer

NAME = "witness.us-east-1.example.com"


@pytest.fixture
def server() -> Iterator[WitnessServer]:
    made = WitnessServer()
    yield made
    made.close()


def test_what_it_says(server: WitnessServer) -> None:
    server.texts = ("epoch=1",)
    assert ask(NAME, resolvers([server.address]), 2) == WitnessAnswer(1)
    server.say(7, "us-west-2")
    assert ask(NAME, resolvers([server.address]), 2) == WitnessAnswer(7, "us-west-2")


def test_silence_ends_at_the_deadline(server: WitnessServer) -> None:
    begun = time.monotonic()
    with pytest.raises(UnavailableError, match="timed out"):
        ask(NAME, resolvers([server.address]), 0.3)
    assert time.monotonic() - begun < 1


def test_a_name_that_is_not_there(server: WitnessServer) -> None:
    server.texts = ()
    with pytest.raises(UnavailableError, match="NXDOMAIN"):
        ask(NAME, resolvers([server.address]), 2)


def test_the_next_server_is_asked_when_nobody_listens_at_the_first(server: WitnessServer) -> None:
    server.say(2)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    assert ask(NAME, resolvers([f"127.0.0.1:{port}", server.address]), 2).epoch == 2


@pytest.mark.parametrize(
    "texts",
    [
        [],
        ["epoch=1", "epoch=2"],
        ["epoch=0"],
        ["epoch=-1"],
        ["epoch=1.5"],
        ["EPOCH=1"],
        ["epoch=1 region=us east"],
        ["hello"],
    ],
)
def test_what_is_no_answer(texts: list[str]) -> None:
    with pytest.raises(UnavailableError):
        read(texts)


def test_forged_and_broken_packets_are_dropped() -> None:
    """A packet with another id, one for another name, and rubbish come before the true answer."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
        door.bind(("127.0.0.1", 0))
        door.settimeout(5)

        def answer() -> None:
            packet, client = door.recvfrom(4096)
            query = DNSRecord.parse(packet)
            forged = query.reply()
            forged.header.id = query.header.id ^ 1
            forged.add_answer(RR(query.q.qname, QTYPE.TXT, ttl=10, rdata=TXT("epoch=99")))
            other = DNSRecord.question("other.example.com", "TXT").reply()
            other.header.id = query.header.id
            other.add_answer(RR("other.example.com", QTYPE.TXT, ttl=10, rdata=TXT("epoch=98")))
            true = query.reply()
            true.add_answer(RR(query.q.qname, QTYPE.TXT, ttl=10, rdata=TXT("epoch=2 region=us-west-2")))
            for data in (b"", b"\0" * 5, b"\xff" * 40, forged.pack(), other.pack(), packet, true.pack()):
                door.sendto(data, client)

        thread = threading.Thread(target=answer)
        thread.start()
        address = f"127.0.0.1:{door.getsockname()[1]}"
        assert ask(NAME, resolvers([address]), 3) == WitnessAnswer(2, "us-west-2")
        thread.join(5)


def test_where_the_servers_come_from(tmp_path: Path) -> None:
    conf = tmp_path / "resolv.conf"
    conf.write_text("# comment\nsearch ec2.internal\nnameserver 10.0.0.2\nnameserver fd00::2\n")
    assert resolvers([], conf) == (("10.0.0.2", 53), ("fd00::2", 53))
    assert resolvers(["127.0.0.1:5353", "10.0.0.2"]) == (("127.0.0.1", 5353), ("10.0.0.2", 53))
    conf.write_text("search x\n")
    with pytest.raises(ConfigurationError, match="names no server"):
        resolvers([], conf)
    with pytest.raises(ConfigurationError, match="is not ADDRESS or ADDRESS:PORT"):
        resolvers(["10.0.0.2:dns"])
