"""An instance is a PostgreSQL server: born, restarted, changed, stopped and deleted as its API says."""

from __future__ import annotations

import ssl

import pg8000.dbapi
import psycopg
import pytest
from botocore.exceptions import ClientError

from tests.twin.databases.conftest import HOME, PASSWORD, STANDBY, Running, kill, until

pytestmark = pytest.mark.postgres
STARTED = "SELECT pg_postmaster_start_time()::text"


def test_a_new_instance_is_what_rds_would_make(twin: Running) -> None:
    twin.rds().create_db_instance(**twin.request("orders"))
    early = twin.describe("orders")
    if early["DBInstanceStatus"] == "creating":
        assert "Endpoint" not in early, "RDS has none before it is available"
    made = twin.available("orders")
    assert made["Endpoint"]["Address"].startswith("127.")
    assert made["Endpoint"]["Port"] == 5432
    with twin.connect("orders") as session:
        (row,) = session.execute("SELECT rolsuper, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = 'master'")
        assert row == (False, True, True)
        (row,) = session.execute("SELECT datdba::regrole::text FROM pg_database WHERE datname = 'app'")
        assert row == ("master",)
        # What the instance kit does at bootstrap.
        session.execute("CREATE ROLE kit LOGIN; GRANT pg_monitor, pg_signal_backend TO kit; CREATE ROLE owner")
        session.execute("GRANT owner TO master; ALTER DATABASE app OWNER TO owner")
    with pytest.raises(psycopg.OperationalError, match="no encryption"):
        twin.connect("orders", sslmode="disable")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        twin.connect("orders", password="wrong-password")


def test_drivers_verify_its_certificate_for_its_address(twin: Running) -> None:
    at = twin.create("orders")["Endpoint"]
    trusted = ssl.create_default_context(cafile=str(twin.ground.authority.certificate))
    pg8000.dbapi.connect("master", at["Address"], "app", at["Port"], PASSWORD, ssl_context=trusted, timeout=10).close()
    with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
        twin.connect("orders", sslrootcert="system", sslmode="verify-full")


def test_a_killed_server_is_started_again_in_place(twin: Running) -> None:
    made = twin.create("orders")
    twin.query("orders", "CREATE TABLE kept AS SELECT 1 AS a")
    before = twin.instance("orders").primary.pid
    kill(before)
    twin.answers("orders", "SELECT a FROM kept", [(1,)])
    assert twin.instance("orders").primary.pid != before
    assert twin.describe("orders")["AvailabilityZone"] == made["AvailabilityZone"]


def test_settings_that_are_read_at_a_start_wait_for_a_reboot_and_others_do_not(twin: Running) -> None:
    rds = twin.rds()
    rds.create_db_parameter_group(DBParameterGroupName="own", DBParameterGroupFamily="postgres17", Description="own")
    twin.create("orders", DBParameterGroupName="own")
    pid = twin.instance("orders").primary.pid

    def put(name: str, value: str, method: str) -> None:
        rds.modify_db_parameter_group(
            DBParameterGroupName="own",
            Parameters=[{"ParameterName": name, "ParameterValue": value, "ApplyMethod": method}],
        )

    put("log_min_duration_statement", "1234", "immediate")
    twin.answers("orders", "SHOW log_min_duration_statement", [("1234ms",)])
    put("max_locks_per_transaction", "99", "pending-reboot")
    put("shared_preload_libraries", "pg_stat_statements,pg_cron", "pending-reboot")
    until("it waits for a reboot", lambda: _group_status(twin) == "pending-reboot", twin.loop)
    assert twin.query("orders", "SHOW max_locks_per_transaction") == [("64",)]
    assert twin.instance("orders").primary.pid == pid
    with pytest.raises(ClientError, match="ForceFailover is for Multi-AZ"):
        rds.reboot_db_instance(DBInstanceIdentifier="orders", ForceFailover=True)
    rds.reboot_db_instance(DBInstanceIdentifier="orders")
    twin.available("orders")
    assert _group_status(twin) == "in-sync"
    assert twin.query("orders", "SHOW max_locks_per_transaction") == [("99",)]
    assert twin.query("orders", "SHOW shared_preload_libraries") == [("pg_stat_statements",)], "what is there is loaded"
    assert twin.instance("orders").primary.pid != pid
    events = rds.describe_events(SourceIdentifier="orders", SourceType="db-instance")["Events"]
    assert "DB instance restarted" in [event["Message"] for event in events]


def _group_status(twin: Running) -> str:
    return str(twin.describe("orders")["DBParameterGroups"][0]["ParameterApplyStatus"])


def test_another_group_is_in_force_after_a_reboot(twin: Running) -> None:
    rds = twin.rds()
    twin.create("orders")
    rds.create_db_parameter_group(DBParameterGroupName="own", DBParameterGroupFamily="postgres17", Description="own")
    setting = {"ParameterName": "statement_timeout", "ParameterValue": "7000", "ApplyMethod": "immediate"}
    rds.modify_db_parameter_group(DBParameterGroupName="own", Parameters=[setting])
    rds.modify_db_instance(DBInstanceIdentifier="orders", DBParameterGroupName="own", ApplyImmediately=True)
    twin.available("orders")
    assert (_group_status(twin), twin.query("orders", "SHOW statement_timeout")) == ("pending-reboot", [("0",)])
    rds.reboot_db_instance(DBInstanceIdentifier="orders")
    twin.available("orders")
    assert (_group_status(twin), twin.query("orders", "SHOW statement_timeout")) == ("in-sync", [("7s",)])


def test_the_masters_password_changes_and_stands_in_no_log(twin: Running) -> None:
    twin.create("orders")
    twin.rds().modify_db_instance(
        DBInstanceIdentifier="orders", MasterUserPassword="quite-another-one", ApplyImmediately=True
    )
    twin.available("orders")
    assert twin.query("orders", "SELECT 1", password="quite-another-one") == [(1,)]
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        twin.connect("orders")
    assert "quite-another-one" not in twin.instance("orders").primary.log.read_text()


def test_it_stops_and_starts_again(twin: Running) -> None:
    twin.create("orders")
    twin.query("orders", "CREATE TABLE kept AS SELECT 1 AS a")
    twin.rds().stop_db_instance(DBInstanceIdentifier="orders")
    until("it stops", lambda: twin.describe("orders")["DBInstanceStatus"] == "stopped", twin.loop)
    assert twin.instance("orders").primary.pid is None
    with pytest.raises(psycopg.OperationalError):
        twin.connect("orders")
    with pytest.raises(ClientError, match="InvalidDBInstanceState"):
        twin.rds().reboot_db_instance(DBInstanceIdentifier="orders")
    twin.rds().start_db_instance(DBInstanceIdentifier="orders")
    twin.available("orders")
    assert twin.query("orders", "SELECT a FROM kept") == [(1,)]


def test_what_is_deleted_is_gone_and_its_name_can_be_used_again(twin: Running) -> None:
    twin.create("orders", DeletionProtection=True)
    twin.query("orders", "CREATE TABLE old AS SELECT 1 AS a")
    rds, folder = twin.rds(), twin.instance("orders").folder
    with pytest.raises(ClientError, match="disable deletion protection"):
        rds.delete_db_instance(DBInstanceIdentifier="orders", SkipFinalSnapshot=True)
    rds.modify_db_instance(DBInstanceIdentifier="orders", DeletionProtection=False, ApplyImmediately=True)
    with pytest.raises(ClientError, match="FinalDBSnapshotIdentifier is required"):
        rds.delete_db_instance(DBInstanceIdentifier="orders")
    answer = rds.delete_db_instance(DBInstanceIdentifier="orders", SkipFinalSnapshot=True)
    assert answer["DBInstance"]["DBInstanceStatus"] == "deleting"
    until("it is gone", lambda: rds.describe_db_instances()["DBInstances"] == [], twin.loop)
    assert not folder.exists()
    twin.create("orders")
    assert twin.query("orders", "SELECT count(*) FROM pg_class WHERE relname = 'old'") == [(0,)]


def test_snapshots_hold_the_rows_of_their_time_here_and_in_the_other_region(twin: Running) -> None:
    twin.create("orders")
    twin.query("orders", "CREATE TABLE kept AS SELECT 1 AS a")
    rds, west = twin.rds(), twin.rds(STANDBY)
    taken = rds.create_db_snapshot(DBInstanceIdentifier="orders", DBSnapshotIdentifier="before")["DBSnapshot"]
    assert taken["Status"] == "creating"
    with pytest.raises(ClientError, match="not a valid identifier"):
        west.copy_db_snapshot(SourceDBSnapshotIdentifier=taken["DBSnapshotArn"], TargetDBSnapshotIdentifier="../x")
    _available(twin, "before")
    twin.available("orders")
    twin.query("orders", "INSERT INTO kept VALUES (2)")
    west.copy_db_snapshot(
        SourceDBSnapshotIdentifier=taken["DBSnapshotArn"], TargetDBSnapshotIdentifier="copy", SourceRegion=HOME
    )
    rds.delete_db_instance(DBInstanceIdentifier="orders", FinalDBSnapshotIdentifier="last")
    _available(twin, "last")
    _available(twin, "copy", STANDBY)
    for name, region, rows in (("before", HOME, 1), ("last", HOME, 2), ("copy", STANDBY, 1)):
        twin.rds(region).restore_db_instance_from_db_snapshot(
            DBInstanceIdentifier=f"of-{name}", DBSnapshotIdentifier=name, DBSubnetGroupName=twin.subnets(region)
        )
        twin.available(f"of-{name}", region)
        assert twin.query(f"of-{name}", "SELECT count(*) FROM kept", region) == [(rows,)], name
        twin.query(f"of-{name}", "INSERT INTO kept VALUES (3)", region)
    folder = twin.databases.snapshot_folder(HOME, "before")
    rds.delete_db_snapshot(DBSnapshotIdentifier="before")
    until("its data are gone", lambda: not folder.exists(), twin.loop)


def _available(twin: Running, name: str, region: str = HOME) -> None:
    rds = twin.rds(region)

    def there() -> bool:
        found = rds.describe_db_snapshots(DBSnapshotIdentifier=name)["DBSnapshots"]
        return bool(found[0]["Status"] == "available")

    until(f"the snapshot {name}", there, twin.loop)


def test_while_it_is_backed_up_a_replica_is_not_promoted(twin: Running) -> None:
    made = twin.create("orders")
    twin.replica("west", made)
    for status in ("backing-up", "available"):
        twin.ground.api.report("rds.status", STANDBY, identifier="west", status=status)
        if status == "backing-up":
            with pytest.raises(ClientError, match="backing-up"):
                twin.rds(STANDBY).promote_read_replica(DBInstanceIdentifier="west")
    twin.rds(STANDBY).promote_read_replica(DBInstanceIdentifier="west")
    twin.available("west", STANDBY)
