"""Hosts of one database fail: alone, with the disk, with their Availability Zone, or all of them for a while."""

from __future__ import annotations

import psycopg
import pytest

from tests.twin.databases.conftest import HOME, STANDBY, Running, until

pytestmark = pytest.mark.postgres


def test_a_primary_that_loses_its_disk_loses_no_row_and_gets_a_new_standby(twin: Running) -> None:
    made = twin.create("orders", MultiAZ=True)
    found = twin.synced("orders")
    twin.replica("west", made)
    twin.query("orders", "CREATE TABLE kept AS SELECT 1 AS a")
    lost, was = found.primary, made["Endpoint"]
    twin.databases.wreck(HOME, "orders")
    assert not lost.data.exists()
    twin.answers("orders", "SELECT a FROM kept", [(1,)])
    twin.query("orders", "INSERT INTO kept VALUES (2)")
    twin.synced("orders")
    now = twin.describe("orders")
    assert now["Endpoint"] == was
    assert (now["AvailabilityZone"], now["SecondaryAvailabilityZone"]) == (
        made["SecondaryAvailabilityZone"],
        made["AvailabilityZone"],
    )
    twin.answers("west", "SELECT a FROM kept ORDER BY a", [(1,), (2,)], STANDBY)


def test_a_disk_that_no_standby_has_is_gone(twin: Running) -> None:
    made = twin.create("orders")
    twin.query("orders", "CREATE TABLE kept AS SELECT 1 AS a")
    twin.replica("west", made)
    twin.databases.wreck(STANDBY, "west")
    twin.answers("west", "SELECT a FROM kept", [(1,)], STANDBY)
    twin.databases.wreck(HOME, "orders")
    until("it is said", lambda: "its disk is gone" in str(twin.loop.status), twin.loop)
    with pytest.raises(psycopg.OperationalError):
        twin.connect("orders")


def test_with_its_zone_a_node_is_lost_and_made_anew_in_another_one(twin: Running) -> None:
    subnets = twin.ground.api.client("ec2", HOME).describe_subnets()["Subnets"]
    zones = sorted({subnet["AvailabilityZone"] for subnet in subnets})
    made = twin.create("orders", MultiAZ=True, DBSubnetGroupName=_wide(twin))
    twin.synced("orders")
    twin.query("orders", "CREATE TABLE kept AS SELECT 1 AS a")
    twin.databases.lose_zone(HOME, made["AvailabilityZone"])
    twin.answers("orders", "SELECT a FROM kept", [(1,)])
    twin.synced("orders")
    now = twin.describe("orders")
    assert now["AvailabilityZone"] == made["SecondaryAvailabilityZone"]
    assert now["SecondaryAvailabilityZone"] in set(zones) - {made["AvailabilityZone"], now["AvailabilityZone"]}
    # The standby's, too: a third zone is left for it only when the first is there again.
    twin.databases.lose_zone(HOME, now["SecondaryAvailabilityZone"])
    found = twin.instance("orders")
    if len(zones) == 3:
        until("nothing is left for a standby", lambda: found.standby.server.pid is None, twin.loop)
        twin.query("orders", "INSERT INTO kept VALUES (2)")
    twin.databases.recover_zone(HOME, made["AvailabilityZone"])
    twin.synced("orders")
    twin.databases.recover_zone(HOME, now["SecondaryAvailabilityZone"])


def test_a_replica_that_was_away_follows_again_from_where_it_was(twin: Running) -> None:
    made = twin.create("orders")
    twin.replica("west", made, MultiAZ=True)
    twin.query("orders", "CREATE TABLE kept AS SELECT 1 AS a")
    twin.answers("west", "SELECT a FROM kept", [(1,)], STANDBY)
    twin.databases.take_away(STANDBY, "west")
    rounds = twin.loop.status.rounds
    until("two rounds pass", lambda: twin.loop.status.rounds > rounds + 2)
    with pytest.raises(psycopg.OperationalError):
        twin.connect("west", STANDBY)
    (info,) = twin.describe("west", STANDBY)["StatusInfos"]
    assert info["Status"] == "error"
    twin.query("orders", "INSERT INTO kept VALUES (2)")
    twin.databases.give_back(STANDBY, "west")
    twin.answers("west", "SELECT a FROM kept ORDER BY a", [(1,), (2,)], STANDBY)
    until(
        "it says so",
        lambda: twin.describe("west", STANDBY)["StatusInfos"][0]["Status"] == "replicating",
        twin.loop,
    )


def _wide(twin: Running) -> str:
    """A subnet group over all zones."""
    subnets = twin.ground.api.client("ec2", HOME).describe_subnets()["Subnets"]
    zones = {subnet["AvailabilityZone"]: subnet["SubnetId"] for subnet in subnets}
    twin.rds().create_db_subnet_group(
        DBSubnetGroupName="wide", DBSubnetGroupDescription="of tests", SubnetIds=list(zones.values())[:3]
    )
    return "wide"
