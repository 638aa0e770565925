"""The sample in two regions: stored once, read near, read-only without a writer, writing again without a restart."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import requires, version
from urllib.parse import urlencode
from uuid import uuid4

import psycopg
import pytest
from packaging.requirements import Requirement

from tests.sample.conftest import SAMPLE, Server
from tests.support.instance import Instance
from tests.support.postgres import Pair, wait_until

Serve = Callable[[Instance], Server]
Instances = tuple[Instance, Instance]
FORM = "application/x-www-form-urlencoded"


def ids(server: Server) -> list[str]:
    return [order["id"] for order in server.json("/api/orders")["orders"]]


def test_what_is_shipped_is_what_is_tested() -> None:
    """The bundle's versions are those of this environment, and the list is the whole tree."""
    lines = [line for line in (SAMPLE / "requirements.txt").read_text().splitlines() if not line.startswith("#")]
    pinned = dict(line.split("==") for line in lines)
    assert {name: version(name) for name in pinned} == pinned
    needed = {
        Requirement(text).name.replace("_", "-")
        for name in pinned
        for text in requires(name) or ()
        if (marker := Requirement(text).marker) is None or marker.evaluate({"extra": "", "sys_platform": "linux"})
    }
    assert needed <= {name.replace("_", "-") for name in pinned}


@pytest.mark.postgres
def test_what_the_api_and_the_page_answer(pair: Pair, instances: Instances, serve: Serve) -> None:
    server = serve(instances[0])
    order_id = str(uuid4())

    assert server.store(order_id, "<b>tea</b>", 3) == 201
    assert server.store(order_id, "<b>tea</b>", 3) == 200, "sent again: the same order"
    assert server.store(order_id, "coffee", 3) == 409
    assert ids(server) == [order_id]
    assert server.json(f"/api/orders/{order_id}")["quantity"] == 3
    assert server.ask("GET", f"/api/orders/{uuid4()}")[0] == 404

    for wrong in (
        "{",
        "[]",
        '{"item": ""}',
        '{"item": "a", "quantity": 0}',
        '{"item": "a", "quantity": true}',
        '{"item": "a", "id": "1"}',
        '{"item": "a\\u0000"}',
        json.dumps({"item": "a" * 201}),
        json.dumps({"item": "a" * 20_000}),
    ):
        status, _, body = server.ask("POST", "/api/orders", wrong)
        assert (status, "error" in json.loads(body)) == (400, True), wrong

    status, headers, page = server.ask("GET", "/")
    assert status == 200
    assert "&lt;b&gt;tea&lt;/b&gt;" in page
    assert "<b>tea" not in page
    assert instances[0].id in page
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert len(pair.primary.query("SELECT 1 FROM orders")) == 1


@pytest.mark.postgres
def test_the_form_stores_once(instances: Instances, serve: Serve) -> None:
    server = serve(instances[0])
    page = server.ask("GET", "/")[2]
    found = re.search(r'name="id" value="([0-9a-f-]{36})"', page)
    assert found
    form = urlencode({"id": found[1], "item": "tea", "quantity": "2"})

    first = server.ask("POST", "/orders", form, FORM)
    second = server.ask("POST", "/orders", form, FORM)

    assert (first[0], first[1]["location"], second[0]) == (303, "/?stored=1", 303)
    assert ids(server) == [found[1]]
    assert "The order is stored." in server.ask("GET", "/?stored=1")[2]
    wrong = server.ask("POST", "/orders", urlencode({"item": "tea", "quantity": "many"}), FORM)
    assert wrong[0] == 400
    assert "quantity must be a whole number" in wrong[2]
    assert 'value="tea"' in wrong[2], "what was typed is still there"


@pytest.mark.postgres
def test_stored_in_one_region_and_read_in_the_other(pair: Pair, instances: Instances, serve: Serve) -> None:
    east, west = (serve(instance) for instance in instances)
    instances[0].start()
    order_id = str(uuid4())

    assert west.store(order_id) == 201, "the west writes to the east's database"

    assert ids(east) == [order_id]
    wait_until("the replica has it", lambda: ids(west) == [order_id])
    wait_until("the heartbeat is there", lambda: west.json("/api/status")["database"]["writer_region"] is not None)
    status = west.json("/api/status")
    assert status["region"] == "us-west-2"
    assert status["writable"] is True
    assert status["database"]["replica"] is True
    assert status["database"]["writer_region"] == "us-east-1"
    assert 0 <= status["database"]["lag_s"] < 5
    assert east.json("/api/status")["database"]["replica"] is False
    assert pair.primary.query("SELECT region FROM orders") == [("us-west-2",)]


@pytest.mark.postgres
def test_the_primary_is_lost_and_the_same_process_writes_again(pair: Pair, instances: Instances, serve: Serve) -> None:
    west = serve(instances[1])
    pid = west.pid
    before, during, after = (str(uuid4()) for _ in range(3))
    assert west.store(before) == 201
    wait_until("the replica has it", pair.caught_up)

    pair.primary.kill()

    status, headers, _ = west.ask("POST", "/api/orders", json.dumps({"id": during, "item": "tea"}))
    assert (status, headers["retry-after"]) == (503, "5")
    assert ids(west) == [before], "it goes on reading"
    assert west.healthy()
    page = west.ask("GET", "/")
    assert (page[0], "Read-only" in page[2]) == (200, True)
    refused = west.ask("POST", "/orders", urlencode({"id": during, "item": "tea", "quantity": "1"}), FORM)
    assert (refused[0], refused[1]["retry-after"], "No database takes orders" in refused[2]) == (503, "5", True)

    pair.replica.promote()

    took = wait_until("it writes again", lambda: west.store(after) in (200, 201), 20, every_s=0.1)
    assert took < 10
    assert west.pid == pid
    assert set(ids(west)) >= {before, after}


@pytest.mark.postgres
def test_fenced_under_it_the_server_leaves_the_old_writer(pair: Pair, instances: Instances, serve: Serve) -> None:
    east = serve(instances[0])
    assert east.store(str(uuid4())) == 201

    instances[0].answer("fence", "--epoch", "1", "--reason", "switchover")

    status, headers, _ = east.ask("POST", "/api/orders", json.dumps({"item": "tea"}))
    assert (status, headers["retry-after"]) == (503, "5")
    assert len(ids(east)) == 1
    wait_until("the replica has it", pair.caught_up)
    pair.replica.promote()
    instances[1].answer("unfence", "--epoch", "2")
    wait_until("it writes in the other region", lambda: east.store(str(uuid4())) == 201, 20, every_s=0.1)
    assert len(pair.replica.query("SELECT 1 FROM orders")) == 2


@pytest.mark.postgres
def test_a_frozen_primary_costs_seconds_not_minutes(pair: Pair, instances: Instances, serve: Serve) -> None:
    west = serve(instances[1])
    assert west.store(str(uuid4())) == 201
    wait_until("the replica has it", lambda: len(ids(west)) == 1)

    pair.primary.freeze()

    for _ in range(2):
        begun = time.monotonic()
        assert west.store(str(uuid4())) == 503
        assert time.monotonic() - begun < 7
    begun = time.monotonic()
    assert len(ids(west)) == 1
    assert time.monotonic() - begun < 2
    pair.replica.promote()
    wait_until("it writes here", lambda: west.store(str(uuid4())) == 201, 30, every_s=0.2)


@pytest.mark.postgres
def test_a_silent_server_keeps_nobody_from_the_one_that_takes_writes(
    pair: Pair, instances: Instances, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(SAMPLE))
    connecting = import_module("orders.connecting")
    instances[1].answer("environment")
    address = re.findall(r'^DATABASE_URL="(.*)"$', instances[1].config.environment_file.read_text(), re.MULTILINE)[0]
    assert [server["port"] for server in connecting.servers(address)] == [
        str(pair.replica.port),
        str(pair.primary.port),
    ]
    pair.primary.freeze()

    async def connected() -> bool:
        waiting = asyncio.create_task(connecting.Connection.connect(address))
        await asyncio.sleep(0.5)
        assert not waiting.done(), "one is read-only, and the other one says nothing"
        await asyncio.to_thread(pair.replica.promote)
        async with await waiting as session:
            return bool(session.info.port == pair.replica.port)

    assert asyncio.run(connected())
    with pytest.raises(psycopg.OperationalError):
        asyncio.run(connecting.Connection.connect(address.replace(str(pair.replica.port), "1")))


@pytest.mark.postgres
def test_without_any_database_it_still_starts(pair: Pair, instances: Instances, serve: Serve) -> None:
    pair.primary.kill()
    pair.replica.kill()

    east = serve(instances[0])

    assert east.ask("GET", "/healthz")[0] == 200
    status, headers, page = east.ask("GET", "/")
    assert (status, headers["retry-after"]) == (503, "5")
    assert "Orders cannot be read right now" in page
    assert east.ask("GET", "/api/orders")[0] == 503
    pair.primary.start()
    wait_until("it serves", lambda: east.store(str(uuid4())) == 201, 20, every_s=0.1)
