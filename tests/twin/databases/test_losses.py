"""What is refused is silence; what is lost is not healed; what a killed twin leaves is found again."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from bicoastal.twin.databases.server import _working_in
from bicoastal.twin.home import Home
from bicoastal.twin.interfaces import INTERNET, Verdict, database_name, instance_name
from bicoastal.twin.processes import Process, Program, end_leftovers
from tests.twin.databases.conftest import HOME, STANDBY, Running, Twins, until

pytestmark = pytest.mark.postgres


def test_who_is_not_admitted_meets_silence_and_others_come_in(twins: Twins) -> None:
    asked: list[tuple[str, str, int]] = []
    open_to: set[str] = set()

    def admits(source: str, destination: str, port: int) -> Verdict:
        asked.append((source, destination, port))
        return Verdict(source in open_to, "of a test")

    twin = twins(admits)
    twin.create("orders")
    with pytest.raises(psycopg.errors.ConnectionTimeout):
        twin.connect("orders", connect_timeout=2)
    assert asked[-1] == (INTERNET, database_name(HOME, "orders"), 5432)

    name = instance_name(HOME, "i-1")
    open_to.add(name)
    at = twin.describe("orders")["Endpoint"]["Address"]
    # PostgreSQL's question for TLS.
    script = f"exec 3<>/dev/tcp/{at}/5432; printf '\\0\\0\\0\\10\\4\\322\\26\\57' >&3; head -c 1 <&3"
    log = twin.ground.home.log("client")
    program = Program("client", ("/bin/bash", "-c", script), owner=name)
    process = Process(twin.ground.home, program, log)
    process.start()
    process.wait_until_ended(30)
    assert log.read_text() == "S", "it is offered"
    assert asked[-1] == (name, database_name(HOME, "orders"), 5432)


def test_a_region_that_is_lost_stays_lost_until_it_recovers(twin: Running) -> None:
    made = twin.create("orders", MultiAZ=True)
    twin.synced("orders")
    twin.query("orders", "CREATE TABLE kept AS SELECT 1 AS a")
    twin.replica("west", made)
    found = twin.instance("orders")
    twin.databases.lose(HOME, "refuse")
    rounds = twin.loop.status.rounds
    with pytest.raises(psycopg.OperationalError):
        twin.connect("orders")
    until("two rounds pass", lambda: twin.loop.status.rounds > rounds + 2)
    assert [server.pid for server in found.nodes.values()] == [None, None]
    assert [_working_in(server.data) for server in found.nodes.values()] == [[], []]
    assert twin.query("west", "SELECT a FROM kept", STANDBY) == [(1,)]
    twin.rds(STANDBY).promote_read_replica(DBInstanceIdentifier="west")
    twin.available("west", STANDBY)
    twin.query("west", "INSERT INTO kept VALUES (2)", STANDBY)

    twin.databases.recover(HOME)
    twin.answers("orders", "SELECT a FROM kept", [(1,)])
    assert twin.describe("orders")["AvailabilityZone"] == made["AvailabilityZone"], "both had power again at once"
    twin.synced("orders")


def test_a_region_behind_a_black_hole_runs_on_for_itself_and_is_silent_outside(twin: Running) -> None:
    made = twin.create("orders")
    twin.query("orders", "CREATE TABLE kept AS SELECT 1 AS a")
    twin.replica("west", made)
    twin.databases.lose(HOME, "black-hole")
    twin.ground.wire.cut(HOME, STANDBY, "black-hole")
    twin.ground.wire.cut(STANDBY, HOME, "black-hole")
    found, passwords = twin.instance("orders"), twin.databases._site.passwords
    with pytest.raises(psycopg.errors.ConnectionTimeout):
        twin.connect("orders", connect_timeout=2)
    twin.rds(STANDBY).promote_read_replica(DBInstanceIdentifier="west")
    twin.available("west", STANDBY)
    slots = "SELECT count(*) FROM pg_replication_slots"
    rounds = twin.loop.status.rounds
    until("two rounds pass", lambda: twin.loop.status.rounds > rounds + 2)
    assert found.primary.ask(passwords, slots) == [(1,)], "it cannot know that its replica was promoted"
    twin.databases.recover(HOME)
    twin.ground.wire.heal()
    until("its slot is gone", lambda: found.primary.ask(passwords, slots) == [(0,)], twin.loop)
    assert twin.query("orders", "SELECT a FROM kept") == [(1,)]


UP = """
import sys, time
from pathlib import Path
from tests.twin.conftest import REGIONS
from tests.twin.databases.conftest import HOME, Running
from bicoastal.twin.ground import ground

with ground(Path(sys.argv[1]), ("databases",), REGIONS) as made:
    twin = Running(made)
    if sys.argv[2] == "first":
        found = twin.create("orders", MultiAZ=True)
        twin.synced("orders")
        twin.query("orders", "CREATE TABLE written (number int PRIMARY KEY)")
        twin.replica("west", found)
    print("up", flush=True)
    number = 0
    with twin.connect("orders") as session:
        while True:
            number += 1
            session.execute("INSERT INTO written VALUES (%s)", (number,))
            print(number, flush=True)
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    root = Path(tempfile.mkdtemp(prefix="bicoastal-twin-"))
    root.chmod(0o755)
    yield root
    with Home(root) as home:
        end_leftovers(home, 1)
    shutil.rmtree(root, ignore_errors=True)


def test_a_twin_that_was_killed_finds_its_databases_and_all_that_was_acknowledged(folder: Path, twins: Twins) -> None:
    up = subprocess.Popen(
        [sys.executable, "-c", UP, str(folder), "first"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert up.stdout is not None
    written = 0
    for line in up.stdout:
        written = 0 if line == "up\n" else int(line)
        if written == 100:
            break
    up.send_signal(signal.SIGKILL)
    written = max([written, *(int(line) for line in up.stdout if line.endswith("\n"))])
    up.wait(20)
    up.stdout.close()
    _ended(folder)

    twin = twins(folder=folder)
    count = f"SELECT count(*) >= {written} FROM written"
    twin.answers("orders", count, [(True,)])
    twin.answers("west", count, [(True,)], STANDBY)
    twin.synced("orders")
    twin.query("orders", "INSERT INTO written VALUES (-1)")
    twin.answers("west", "SELECT min(number) FROM written", [(-1,)], STANDBY)
    assert twin.describe("west", STANDBY)["StatusInfos"][0]["Status"] == "replicating"


def _ended(folder: Path) -> None:
    """The control plane saves its state when its parent is gone, and the servers die with it."""
    end = time.monotonic() + 20
    with Home(folder) as home:
        end_leftovers(home, 5)
    while (folder / "cloud" / "endpoint.json").exists() and time.monotonic() < end:
        if not _cloud_runs(folder):
            break
        time.sleep(0.05)


def _cloud_runs(folder: Path) -> bool:
    wanted = str(folder / "cloud")
    for item in Path("/proc").iterdir():
        if item.name.isdecimal():
            try:
                if wanted in (item / "cmdline").read_text():
                    return True
            except OSError:
                continue
    return False


def test_measurements_are_postgresqls_own_and_logs_are_found(twin: Running) -> None:
    made = twin.create("orders", EnableCloudwatchLogsExports=["postgresql", "upgrade"])
    twin.replica("west", made)
    twin.query("orders", "CREATE TABLE kept AS SELECT 1 AS a")
    twin.answers("west", "SELECT a FROM kept", [(1,)], STANDBY)
    with twin.connect("orders"), twin.connect("orders"):
        found = {(one.dimensions["DBInstanceIdentifier"], one.name): one for one in twin.databases.measurements()}
    assert found["orders", "DatabaseConnections"].value == 2
    assert found["west", "DatabaseConnections"].value == 0
    assert (found["orders", "TransactionLogsDiskUsage"].value or 0) > 1_000_000
    assert 19 * 2**30 < (found["orders", "FreeStorageSpace"].value or 0) < 20 * 2**30
    assert found["orders", "OldestReplicationSlotLag"].unit == "Bytes"
    assert 0 <= (found["west", "ReplicaLag"].value or 0) < 60
    assert ("orders", "ReplicaLag") not in found
    assert ("orders", "CPUUtilization") not in found, "nobody can know it"
    (log,) = twin.databases.log_files()
    assert (log.region, log.group) == (HOME, "/aws/rds/instance/orders/postgresql")
    with pytest.raises(psycopg.Error):
        twin.query("orders", "SELECT 1 / 0")
    until("it is logged", lambda: "division by zero" in log.path.read_text(), twin.loop)


def test_another_room_backs_up_and_restores(twin: Running) -> None:
    twin.create("orders")
    twin.query("orders", "CREATE TABLE kept AS SELECT 1 AS a")
    into = twin.ground.home.databases("elsewhere", "backup")
    twin.databases.backup(HOME, "orders", into)
    twin.query("orders", "DELETE FROM kept")
    assert (into / "PG_VERSION").read_text() == "17\n"
    twin.rds().create_db_snapshot(DBInstanceIdentifier="orders", DBSnapshotIdentifier="empty")
    until("the snapshot", lambda: twin.databases.snapshot_folder(HOME, "empty").exists(), twin.loop)
    twin.available("orders")
    shutil.rmtree(twin.databases.snapshot_folder(HOME, "empty"))
    twin.databases.keep(HOME, "empty", into)
    twin.rds().restore_db_instance_from_db_snapshot(
        DBInstanceIdentifier="again", DBSnapshotIdentifier="empty", DBSubnetGroupName="data"
    )
    twin.available("again")
    assert twin.query("again", "SELECT a FROM kept") == [(1,)]
