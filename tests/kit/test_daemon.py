"""The daemon as a process, beside real servers: what it does within which time."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from bicoastal.kit.daemon import notify
from tests.support.instance import PASSWORDS, Instance, stays
from tests.support.postgres import Pair, Postgres, wait_until

pytestmark = pytest.mark.postgres

Launch = Callable[..., Instance]


def heartbeat(server: Postgres) -> tuple[object, ...] | None:
    """Region, instance and age in seconds of the heartbeat row."""
    rows = server.query(
        "SELECT region, instance, extract(epoch FROM clock_timestamp() - beat_at)::float8 FROM bicoastal.heartbeat"
    )
    return rows[0] if rows else None


def beats(server: Postgres, instance: Instance) -> bool:
    """Whether this instance has written the row within the last second."""
    row = heartbeat(server)
    return row is not None and row[1] == instance.id and isinstance(row[2], float) and row[2] < 1.0


def fence_reason(server: Postgres) -> object:
    return server.query("SELECT fence_reason FROM bicoastal.state")[0][0]


def insert(server: Postgres) -> bool:
    """Write as the application does, trying hard; whether it worked."""
    with contextlib.suppress(psycopg.Error), server.connect("app", PASSWORDS["app"], autocommit=True) as session:
        session.execute("BEGIN READ WRITE")
        session.execute("UPDATE bicoastal.probe SET nonce = 'x'")
        session.execute("COMMIT")
        return True
    return False


def test_one_instance_beats_and_another_takes_over_when_it_dies(pair: Pair, home: Instance, launch: Launch) -> None:
    second = launch(pair.primary)
    home.start()
    wait_until("the first instance beats", lambda: beats(pair.primary, home))
    second.start()
    stays("the first instance beats alone", lambda: beats(pair.primary, home), 0.5)
    wait_until("the replica shows the heartbeat", lambda: beats(pair.replica, home))

    home.kill()

    wait_until("the second instance beats", lambda: beats(pair.primary, second), 5)


def test_an_instance_that_hangs_loses_the_heartbeat(pair: Pair, home: Instance, launch: Launch) -> None:

    second = launch(pair.primary)
    home.start()
    wait_until("the first instance beats", lambda: beats(pair.primary, home))
    second.start()
    os.kill(home.daemon_pid, signal.SIGSTOP)

    wait_until("the second instance beats", lambda: beats(pair.primary, second), 8)


def test_metrics_of_both_sides(pair: Pair, home: Instance, launch: Launch) -> None:
    away = launch(pair.replica, region="us-west-2")
    home.start()
    away.start()
    wait_until("the heartbeat reaches the replica", lambda: beats(pair.replica, home))
    with pair.replica.connect("app", PASSWORDS["app"]) as reader:
        reader.execute("SELECT 1")  # a transaction is open now
        wait_until(
            "the reading session is counted", lambda: 1.0 in away.statsd.received().get("ReadingSessions", []), 5
        )
    wait_until("it is gone", lambda: set(away.statsd.received().get("ReadingSessions", [])) == {0.0}, 5)

    east: dict[str, list[float]] = {}
    west: dict[str, list[float]] = {}

    def both_publish() -> bool:
        east.update(home.statsd.received())
        west.update(away.statsd.received())
        return bool(east and west)

    wait_until("both publish", both_publish, 5)
    assert set(east) == {"HeartbeatAge", "ReadingSessions", "Primary", "Fenced", "SlotRetainedBytes"}
    assert set(west) == {"HeartbeatAge", "ReadingSessions", "Primary", "Fenced"}
    assert set(east["Primary"]) == {1.0}
    assert set(west["Primary"]) == {0.0}
    assert max(east["HeartbeatAge"]) < 2
    assert 0 < max(west["HeartbeatAge"]) < 2


def test_the_heartbeat_ages_on_the_replica_when_the_primary_is_lost(pair: Pair, home: Instance, launch: Launch) -> None:
    away = launch(pair.replica, region="us-west-2")
    home.start()
    away.start()
    wait_until("the heartbeat reaches the replica", lambda: beats(pair.replica, home))

    pair.primary.kill()

    wait_until("the age grows", lambda: max(away.statsd.received().get("HeartbeatAge", [0])) > 1.5, 6)


def test_the_gate_says_503_and_its_health_200(pair: Pair, home: Instance) -> None:
    home.start()
    pair.primary.kill()  # the gate depends on no database
    port = home.settings["gate"]["port"]

    for method, path, body in (("GET", "/", None), ("POST", "/api/orders", b"x" * 100_000), ("GET", "/healthz", None)):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request(method, path, body=body)
        response = connection.getresponse()
        assert response.status == 503
        assert response.headers["Retry-After"] == "5"
        assert b"Back in a moment" in response.read()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", "/.well-known/bicoastal/gate?x=1")
    assert connection.getresponse().status == 200


def test_a_higher_epoch_fences_at_once(pair: Pair, home: Instance) -> None:
    home.witness.say(1)
    home.start()
    wait_until("it beats", lambda: beats(pair.primary, home))
    assert insert(pair.primary)

    home.witness.say(2, "us-west-2")

    took = wait_until("it is fenced", lambda: fence_reason(pair.primary) == "superseded", 5)
    assert took < 2
    assert not insert(pair.primary)
    wait_until("the fence is published", lambda: 1.0 in home.statsd.received().get("Fenced", []), 3)
    wait_until("it is carried to the replica", lambda: fence_reason(pair.replica) == "superseded", 3)
    home.witness.say(1)
    stays("fenced, although the witness is back", lambda: fence_reason(pair.primary) == "superseded", 2.5)
    assert not beats(pair.primary, home)


def test_without_witness_and_replica_it_fences_itself_and_lifts_it_when_both_are_back(
    pair: Pair, home: Instance
) -> None:
    home.witness.say(1)
    home.start()
    wait_until(
        "the replica is expected",
        lambda: bool(pair.primary.query("SELECT replica_expected FROM bicoastal.state")[0][0]),
    )
    pair.replica.freeze()
    stays("open with the witness alone", lambda: fence_reason(pair.primary) is None, 3)

    home.witness.be_silent()

    took = wait_until("it is fenced", lambda: fence_reason(pair.primary) == "isolated", 8)
    assert took > 1
    assert not insert(pair.primary)

    home.witness.say(1)
    stays("fenced with the witness alone", lambda: fence_reason(pair.primary) == "isolated", 2.5)

    pair.replica.thaw()
    wait_until("it is lifted", lambda: fence_reason(pair.primary) is None, 10)
    wait_until("writes go on", lambda: insert(pair.primary), 3)
    wait_until("it beats", lambda: beats(pair.primary, home), 3)


def test_a_lost_resolver_does_not_stop_the_only_database(pair: Pair, home: Instance) -> None:
    home.start()  # the witness is silent; the replica streams
    stays("open with the replica alone", lambda: fence_reason(pair.primary) is None, 3)
    home.stop()
    pair.replica.kill()
    pair.primary.query("UPDATE bicoastal.state SET replica_expected = false")
    home.start()
    stays("open, for nobody can have been promoted", lambda: fence_reason(pair.primary) is None, 3)


def test_one_instance_with_a_broken_resolver_fences_nobody(pair: Pair, home: Instance, launch: Launch) -> None:
    deaf = launch(pair.primary)
    home.witness.say(1)
    home.start()
    deaf.start()
    wait_until(
        "the replica is expected",
        lambda: bool(pair.primary.query("SELECT replica_expected FROM bicoastal.state")[0][0]),
    )
    pair.replica.kill()

    stays("the other instance's sight counts", lambda: fence_reason(pair.primary) is None, 4)


def test_the_database_is_killed_and_comes_back(pair: Pair, home: Instance) -> None:
    home.start()
    wait_until("it beats", lambda: beats(pair.primary, home))

    pair.primary.kill()
    wait_until("the errors are counted", lambda: "KitErrors" in home.statsd.received(), 5)
    home.statsd.drain()
    stays("no figure is made up", lambda: set(home.statsd.received()) <= {"KitErrors"}, 0.6)
    pair.primary.start()

    wait_until("it says so, once", lambda: len(re.findall("database: well again", home.journal)) == 1, 8)
    wait_until("it beats again", lambda: beats(pair.primary, home), 2)


def test_a_frozen_database_is_left_and_found_again(pair: Pair, home: Instance) -> None:
    home.start()
    wait_until("it beats", lambda: beats(pair.primary, home))

    pair.primary.freeze()
    wait_until("the time-out is noticed", lambda: "no answer in time" in home.journal, 5)
    pair.primary.thaw()

    wait_until("it says so", lambda: "database: well again" in home.journal, 8)
    wait_until("it beats again", lambda: beats(pair.primary, home), 2)


def test_a_changed_password_is_read_again(pair: Pair, home: Instance) -> None:
    home.start()
    wait_until("it beats", lambda: beats(pair.primary, home))

    home.aws.set_credential("kit", "another-password-of-tests")
    home.answer("bootstrap")
    pair.primary.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'kit'")

    wait_until("it beats again", lambda: beats(pair.primary, home), 10)


def test_promotion_carries_the_fence_and_unfence_lifts_it(pair: Pair, home: Instance, launch: Launch) -> None:
    away = launch(pair.replica, region="us-west-2")
    away.witness.say(1)
    away.start()
    home.answer("fence", "--epoch", "1", "--reason", "switchover")
    wait_until("the replica has it", pair.caught_up)
    pair.primary.kill()

    pair.replica.promote()

    wait_until("the kit sees a primary", lambda: "local database: primary, epoch 1, fenced" in away.journal, 5)
    assert not insert(pair.replica)
    refused = away.kit("probe")
    assert refused.returncode == 1
    assert "the application cannot write" in refused.stderr
    lifted = away.answer("unfence", "--epoch", "2")
    assert (lifted["fenced"], lifted["epoch"], lifted["change"], lifted["writes"]) == (False, 2, "lifted", True)
    assert away.answer("probe")["writes"] is True
    wait_until("the heart beats in the other region", lambda: beats(pair.replica, away), 5)
    assert heartbeat(pair.replica)[:2] == ("us-west-2", away.id)  # type: ignore[index]
    away.witness.say(2, "us-west-2")
    stays("it is not fenced by its own epoch", lambda: fence_reason(pair.replica) is None, 1)


def test_systemd_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    notify("READY=1")  # not started by systemd: nothing happens
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as door:
        door.bind(str(tmp_path / "notify"))
        door.settimeout(2)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        notify("WATCHDOG=1")
        assert door.recv(64) == b"WATCHDOG=1"
    notify("WATCHDOG=1")  # nobody listens any more: nothing happens


def test_it_ends_cleanly(home: Instance) -> None:
    home.start()

    assert home.stop() == 0


def test_a_taken_port_is_an_error_that_names_it(home: Instance) -> None:
    home.start()

    done = home.kit("run")

    assert done.returncode == 3
    assert f"port {home.settings['gate']['port']}" in done.stderr
