"""What the operator is told: on a primary, on a replica, and when nothing answers."""

from __future__ import annotations

import pytest

from tests.kit.conftest import Launch
from tests.support.instance import PASSWORDS, Instance
from tests.support.postgres import Pair, wait_until

pytestmark = pytest.mark.postgres


def test_on_both_sides(pair: Pair, home: Instance, launch: Launch) -> None:
    away = launch(pair.replica, region="us-west-2")
    home.witness.say(1)
    home.start()
    wait_until("the replica has a heartbeat", lambda: bool(pair.replica.query("SELECT 1 FROM bicoastal.heartbeat")))

    east = home.answer("status")
    assert east["unknown"] == {}
    assert east["instance"] == {"id": home.id, "zone": "us-east-1a"}
    assert east["witness"] == {"epoch": 1, "region": "us-east-1"}
    assert east["gate"] == {"port": home.settings["gate"]["port"], "serving": True}
    database = east["database"]
    assert (database["role"], database["epoch"], database["fence"], database["receiver"]) == ("primary", 1, None, None)
    assert database["writer_region"] == "us-east-1"
    assert 0 <= database["heartbeat_age_s"] < 5
    (slot,) = database["slots"]
    assert (slot["active"], slot["other_region"], slot["state"]) == (True, True, "streaming")
    assert slot["retained_bytes"] >= 0

    with pair.replica.connect("app", PASSWORDS["app"]) as reader:
        reader.execute("SELECT 1")
        west = away.answer("status")
    assert set(west["unknown"]) == {"witness", "gate"}, "nobody serves them there"
    assert west["witness"] is None
    database = west["database"]
    assert (database["role"], database["slots"]) == ("replica", [])
    assert database["receiver"]["status"] == "streaming"
    assert database["receiver"]["unreplayed_bytes"] >= 0
    assert 0 <= database["receiver"]["last_contact_s"] < 5
    assert database["reading"]["sessions"] == 1
    assert database["reading"]["by"][0]["user"] == "app"
    assert database["reading"]["oldest_s"] >= 0


def test_the_fence_and_a_lost_primary(pair: Pair, home: Instance, launch: Launch) -> None:
    away = launch(pair.replica, region="us-west-2")
    home.answer("fence", "--epoch", "2", "--reason", "superseded")
    fence = home.answer("status")["database"]["fence"]
    assert (fence["reason"], fence["epoch"], fence["done"]) == ("superseded", 2, True)
    wait_until("the replica has it", pair.caught_up)

    pair.primary.kill()

    wait_until(
        "the receiver is gone", lambda: away.answer("status")["database"]["receiver"]["status"] != "streaming", 10
    )
    assert away.answer("status")["database"]["fence"]["reason"] == "superseded"
    lost = home.answer("status")
    assert lost["database"] == {"role": "unreachable"}
    assert "Connection refused" in lost["unknown"]["database"]
    pair.replica.freeze()
    frozen = away.answer("status")
    assert frozen["database"] == {"role": "unreachable"}
    assert "no answer in time" in frozen["unknown"]["database"]
    pair.replica.thaw()
