"""Users of a drill, as the process that they are: real DNS packets, real TLS, a real ledger."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from dnslib import QTYPE, RR, DNSRecord

from bicoastal.drill.client import Plan, User
from bicoastal.drill.ledger import GATE, PAGE, READ, WRITE, Entry, Reader
from bicoastal.twin.authority import Authority
from tests.drill.entries import EAST, WEST

NAME = "orders.example.com"
HERE, THERE = "127.0.0.31", "127.0.0.32"
WAIT_S = 30.0


class Internet:
    """A DNS server and two load balancers of one application, which do as they are told."""

    def __init__(self, folder: Path) -> None:
        self.answer, self.ttl = HERE, 1
        self.asked: list[float] = []
        self.behavior: dict[str, str] = {HERE: "serve", THERE: "serve"}
        self.rows: list[str] = []
        self.folder = folder
        self.authority = Authority(folder / "certificates")
        self._dns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._dns.bind(("127.0.0.1", 0))
        self._loop = asyncio.new_event_loop()
        self._servers: dict[str, asyncio.Server] = {}
        self._threads = [threading.Thread(target=run, daemon=True) for run in (self._resolve, self._loop.run_forever)]
        self.port = 0

    def start(self) -> None:
        (self.folder / "certificates").mkdir(exist_ok=True)
        certificate, key = self.folder / "server.pem", self.folder / "server.key"
        self.authority.issue(certificate, key, [NAME])
        import ssl  # noqa: PLC0415 - only here

        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, key)
        for thread in self._threads:
            thread.start()
        self._call(self._listen(HERE))
        self._call(self._listen(THERE))

    def stop(self) -> None:
        for address in list(self._servers):
            self.close(address)
        self._dns.close()
        self._call(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._threads[1].join(5)
        self._loop.close()

    def close(self, address: str) -> None:
        """From now on connections there are refused; those that are open end with a request."""
        self.behavior[address] = "reset"
        self._call(self._shut(address))

    def plan(self, *users: User, patience_s: float = 5.0) -> Plan:
        return Plan(
            coast=EAST,
            users=users,
            resolver=self._dns.getsockname(),
            port=self.port,
            certificate=str(self.authority.certificate),
            ledger=str(self.folder / "ledger.jsonl"),
            period_s=0.05,
            patience_s=patience_s,
            seed=1,
        )

    def _call(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    async def _listen(self, address: str) -> None:
        self._servers[address] = await asyncio.start_server(
            lambda reader, writer: self._serve(address, reader, writer), address, self.port, ssl=self._context
        )
        self.port = self._servers[address].sockets[0].getsockname()[1]

    async def _shut(self, address: str) -> None:
        self._servers.pop(address).close()
        await asyncio.sleep(0.01)

    async def _end(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _resolve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                packet, peer = self._dns.recvfrom(4096)
                self.asked.append(time.monotonic())
                question = DNSRecord.parse(packet)
                reply = question.reply()
                reply.add_answer(*RR.fromZone(f"{question.q.qname} {self.ttl} IN A {self.answer}"))
                assert QTYPE[question.q.qtype] == "A"
                self._dns.sendto(reply.pack(), peer)

    async def _serve(self, address: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, EOFError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = next(
                    (int(line[15:]) for line in head.split("\r\n") if line.lower()[:15] == "content-length:"), 0
                )
                body = await reader.readexactly(length)
                how = self.behavior[address]
                if how == "silent":
                    await asyncio.sleep(60)
                if how == "reset":
                    break
                status, said = self._answer(address, head, body, how)
                writer.write(f"HTTP/1.1 {status} x\r\nContent-Length: {len(said)}\r\n\r\n".encode() + said)
                await writer.drain()
        writer.transport.abort()

    def _answer(self, address: str, head: str, body: bytes, how: str) -> tuple[int, bytes]:
        region = EAST if address == HERE else WEST
        if how == "gate":
            return 503, b"<h1>Back in a moment</h1>"
        if how == "503":
            return 503, b"{}"
        if head.startswith("POST"):
            self.rows.append(json.loads(body)["id"])
            return 201, json.dumps({"region": region}).encode()
        if head.startswith("GET / "):
            return 200, b"<title>page</title>"
        if head.startswith("GET /api/orders "):
            return 200, json.dumps({"region": region, "replica": False, "orders": []}).encode()
        return 200, json.dumps({"region": region, "database": {"lag_s": 0.25}}).encode()


@pytest.fixture
def internet(tmp_path: Path) -> Iterator[Internet]:
    made = Internet(tmp_path)
    made.start()
    yield made
    made.stop()


@contextlib.contextmanager
def asking(plan: Plan, folder: Path) -> Iterator[Reader]:
    file = folder / "plan.json"
    plan.write(file)
    process = subprocess.Popen([sys.executable, "-m", "bicoastal.drill.client", str(file)], stdin=subprocess.PIPE)
    try:
        yield Reader([Path(plan.ledger)])
    finally:
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(10) == 0, "they leave with whoever sent them"


def until(reader: Reader, holds: Callable[[list[Entry]], object]) -> list[Entry]:
    end = time.monotonic() + WAIT_S
    while not holds(reader.entries()):
        assert time.monotonic() < end, f"it did not come about: {reader.entries()[-5:]}"
        time.sleep(0.02)
    return reader.entries()


A_READER = User("a reader", READ, "127.0.0.41", NAME)
A_WRITER = User("a writer", WRITE, "127.0.0.42", NAME)


def test_reads_say_who_answered_and_how_far_it_is_behind(internet: Internet, tmp_path: Path) -> None:
    with asking(internet.plan(A_READER), tmp_path) as ledger:
        entries = until(ledger, lambda entries: {entry.kind for entry in entries} >= {READ, PAGE})
    assert all(entry.served for entry in entries)
    found = next(entry for entry in entries if entry.kind == READ)
    assert (found.region, found.lag_s, found.coast) == (EAST, 0.25, EAST)


def test_a_row_is_sent_again_with_its_id_until_it_is_acknowledged(internet: Internet, tmp_path: Path) -> None:
    internet.behavior[HERE] = "503"
    with asking(internet.plan(A_WRITER), tmp_path) as ledger:
        until(ledger, lambda entries: len(entries) >= 3)
        internet.behavior[HERE] = "gate"
        until(ledger, lambda entries: any(entry.error == GATE for entry in entries))
        internet.behavior[HERE] = "serve"
        entries = until(ledger, lambda entries: sum(entry.served for entry in entries) >= 2)
    first = entries[0].id
    served = [entry.served for entry in entries if entry.id == first]
    assert served == [False] * (len(served) - 1) + [True]
    assert {entry.error for entry in entries if not entry.served} == {"503", GATE}
    assert [entry.id for entry in entries if entry.served] == internet.rows[: sum(entry.served for entry in entries)]


def test_an_answer_of_dns_is_kept_for_its_ttl_whatever_becomes_of_the_address(
    internet: Internet, tmp_path: Path
) -> None:
    internet.ttl = 2
    with asking(internet.plan(A_READER), tmp_path) as ledger:
        until(ledger, lambda entries: entries)
        internet.answer = THERE
        internet.close(HERE)
        entries = until(ledger, lambda entries: any(entry.region == WEST for entry in entries))
    assert len(internet.asked) == 2
    assert internet.asked[1] - internet.asked[0] >= 2
    lost = [entry for entry in entries if not entry.served]
    assert {entry.error for entry in lost} == {"refused"}
    assert len(lost) > 5, "he asked the address that he knew, again and again"


def test_a_kept_connection_goes_on_where_dns_leads_elsewhere(internet: Internet, tmp_path: Path) -> None:
    with asking(internet.plan(A_READER), tmp_path) as ledger:
        until(ledger, lambda entries: entries)
        internet.answer = THERE
        time.sleep(1.5)  # longer than the TTL: what is shown is that nothing happens
        entries = ledger.entries()
    assert {entry.region for entry in entries if entry.kind == READ} == {EAST}
    assert len(entries) > 3


def test_who_hears_nothing_gives_up_after_his_patience(internet: Internet, tmp_path: Path) -> None:
    internet.behavior[HERE] = "silent"
    with asking(internet.plan(A_READER, patience_s=0.5), tmp_path) as ledger:
        (entry, *_) = until(ledger, lambda entries: entries)
    assert entry.error == "timed out"
    assert 0.45 < entry.ended - entry.began < 5
