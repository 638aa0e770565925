"""A replica follows its source over the distance between the regions, until it is promoted, cut off, or bereft."""

from __future__ import annotations

import time
from functools import partial

import psycopg
import pytest

from bicoastal.twin.databases.server import Server
from tests.twin.databases.conftest import HOME, STANDBY, Running, kill, until

pytestmark = pytest.mark.postgres
ROWS = "SELECT a FROM kept ORDER BY a"
SLOTS = "SELECT slot_name::text, active FROM pg_replication_slots WHERE NOT temporary"


def _status(twin: Running, name: str, region: str = STANDBY) -> str:
    found = twin.describe(name, region)["StatusInfos"]
    return str(found[0]["Status"]) if found else ""


def test_it_streams_from_a_slot_that_the_kit_knows_and_is_promoted(twin: Running) -> None:
    made = twin.create("orders")
    twin.query("orders", "CREATE TABLE kept AS SELECT 1 AS a")
    west = twin.replica("west", made)
    assert west["ReadReplicaSourceDBInstanceIdentifier"] == made["DBInstanceArn"]
    assert _status(twin, "west") == "replicating"
    twin.answers("west", ROWS, [(1,)], STANDBY)
    until("it streams", lambda: twin.query("orders", SLOTS)[0][1], twin.loop)
    slot = twin.query("orders", SLOTS)[0][0]
    assert slot.startswith("rds_us_west_2_db_")
    with pytest.raises(psycopg.Error, match="read-only transaction"):
        twin.query("west", "INSERT INTO kept VALUES (2)", STANDBY)
    begun = time.monotonic()
    twin.query("orders", "INSERT INTO kept VALUES (2)")
    twin.answers("west", ROWS, [(1,), (2,)], STANDBY)
    assert time.monotonic() - begun > 0.03, "half a round trip at least"

    reading = twin.connect("west", STANDBY)
    twin.rds(STANDBY).promote_read_replica(DBInstanceIdentifier="west", BackupRetentionPeriod=2)
    west = twin.available("west", STANDBY)
    assert "ReadReplicaSourceDBInstanceIdentifier" not in west
    assert west["StatusInfos"] == []
    twin.query("west", "INSERT INTO kept VALUES (3)", STANDBY)
    with pytest.raises(psycopg.OperationalError):
        reading.execute("SELECT 1")
    reading.close()
    until("its slot is gone", lambda: twin.query("orders", SLOTS) == [], twin.loop)
    assert twin.query("orders", ROWS) == [(1,), (2,)]


def test_it_goes_on_when_its_source_fails_over(twin: Running) -> None:
    made = twin.create("orders", MultiAZ=True)
    twin.query("orders", "CREATE TABLE kept AS SELECT 1 AS a")
    twin.replica("west", made)
    for number in (2, 3):
        source = twin.synced("orders")
        # The standby knows the replica's slot before it needs it.
        until("the standby has the slot", partial(_has_slot, twin, source.standby.server), twin.loop)
        if number == 2:
            twin.rds().reboot_db_instance(DBInstanceIdentifier="orders", ForceFailover=True)
            twin.available("orders")
        else:
            kill(source.primary.pid)
        until("it writes", partial(_writes, twin, number), twin.loop)
        twin.answers("west", "SELECT max(a) FROM kept", [(number,)], STANDBY)
    assert _status(twin, "west") == "replicating"


def _has_slot(twin: Running, server: Server) -> bool:
    return bool(server.ask(twin.databases._site.passwords, SLOTS))


def _writes(twin: Running, number: int) -> bool:
    try:
        twin.query("orders", f"INSERT INTO kept VALUES ({number})")
    except psycopg.Error:
        return False
    return True


def test_a_cut_wire_keeps_the_wal_in_its_slot_and_heals(twin: Running) -> None:
    made = twin.create("orders")
    twin.query("orders", "CREATE TABLE kept AS SELECT 1 AS a")
    twin.replica("west", made)
    wire = twin.ground.wire
    wire.cut(HOME, STANDBY, "black-hole")
    wire.cut(STANDBY, HOME, "black-hole")
    twin.query("orders", "INSERT INTO kept SELECT generate_series(2, 50000)")
    until("it is in error", lambda: _status(twin, "west") == "error", twin.loop)
    until("the slot is idle", lambda: not twin.query("orders", SLOTS)[0][1], twin.loop)
    (row,) = twin.query(
        "orders", "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn) > 1000000 FROM pg_replication_slots"
    )
    assert row == (True,)
    assert twin.query("west", "SELECT count(*) FROM kept", STANDBY) == [(1,)]
    wire.heal()
    twin.answers("west", "SELECT count(*) FROM kept", [(50000,)], STANDBY)
    until("it replicates", lambda: _status(twin, "west") == "replicating", twin.loop)


def test_a_source_that_is_deleted_frees_its_own_regions_replica_alone(twin: Running) -> None:
    made = twin.create("orders")
    twin.replica("west", made)
    twin.replica("near", made, HOME)
    twin.query("orders", "CREATE TABLE kept AS SELECT 1 AS a")
    for name, region in (("west", STANDBY), ("near", HOME)):
        twin.answers(name, ROWS, [(1,)], region)
    twin.rds().delete_db_instance(DBInstanceIdentifier="orders", SkipFinalSnapshot=True)
    until("the near one stands alone", lambda: "ReadReplicaSourceDBInstanceIdentifier" not in twin.available("near"))
    twin.query("near", "INSERT INTO kept VALUES (2)")
    until("the far one is bereft", lambda: _status(twin, "west") == "terminated", twin.loop)
    assert twin.query("west", ROWS, STANDBY) == [(1,)]
    with pytest.raises(psycopg.Error, match="read-only transaction"):
        twin.query("west", "INSERT INTO kept VALUES (2)", STANDBY)
    twin.rds(STANDBY).promote_read_replica(DBInstanceIdentifier="west")
    twin.available("west", STANDBY)
    twin.query("west", "INSERT INTO kept VALUES (2)", STANDBY)


def test_a_multi_az_replica_has_a_standby_that_takes_over(twin: Running) -> None:
    made = twin.create("orders")
    twin.query("orders", "CREATE TABLE kept AS SELECT 1 AS a")
    before = twin.replica("west", made, MultiAZ=True)
    found = twin.synced("west", STANDBY)
    kill(found.primary.pid)
    until("the zone changes", lambda: _zone(twin) == before["SecondaryAvailabilityZone"], twin.loop)
    twin.query("orders", "INSERT INTO kept VALUES (2)", connect_timeout=20)
    twin.answers("west", ROWS, [(1,), (2,)], STANDBY)
    twin.synced("west", STANDBY)
    twin.rds(STANDBY).promote_read_replica(DBInstanceIdentifier="west")
    twin.available("west", STANDBY)
    twin.query("west", "INSERT INTO kept VALUES (3)", STANDBY)
    twin.synced("west", STANDBY)
    assert found.state.synchronous


def _zone(twin: Running) -> str:
    return str(twin.describe("west", STANDBY)["AvailabilityZone"])


def test_a_replica_that_cannot_follow_any_more_is_copied_anew(twin: Running) -> None:
    made = twin.create("orders")
    twin.query("orders", "CREATE TABLE kept AS SELECT 1 AS a")
    twin.replica("west", made)
    found = twin.instance("west", STANDBY)
    # It goes a way of its own, as a replica does whose source's standby took over without the last of its WAL.
    twin.answers("west", ROWS, [(1,)], STANDBY)
    found.primary.promote(twin.databases._site.passwords)
    found.primary.ask(twin.databases._site.passwords, "SELECT pg_create_restore_point('astray')")
    found.primary.stop()
    found.primary.follow()
    found.source.rebuild_s = 5
    twin.query("orders", "INSERT INTO kept VALUES (2)")
    twin.answers("west", ROWS, [(1,), (2,)], STANDBY)
