"""Databases of a twin: a control plane, the controller in its loop, and sessions as an application opens them."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest

from bicoastal.twin.api import Watcher
from bicoastal.twin.controller import Loop
from bicoastal.twin.databases.controller import Databases
from bicoastal.twin.databases.desired import Key
from bicoastal.twin.databases.instance import Instance
from bicoastal.twin.ground import Ground, ground
from bicoastal.twin.interfaces import Admits, admits_everything
from bicoastal.twin.processes import end_leftovers
from tests.twin.conftest import REGIONS, Grounds

HOME, STANDBY = REGIONS
PASSWORD = "a-password-of-tests"
DEADLINE_S = 60.0


class Running:
    """A twin with databases alone."""

    def __init__(self, ground: Ground, admits: Admits = admits_everything) -> None:
        self.ground = ground
        self.databases = Databases(ground, admits)
        self.loop = Loop(self.databases, 1.0)
        self.watcher = Watcher(ground.api, self.loop.poke)
        self._groups: set[str] = set()
        self.loop.start()
        self.watcher.start()

    def stop(self) -> None:
        self.watcher.stop()
        self.loop.stop()

    def clear(self) -> None:
        """Delete everything."""
        self.ground.wire.heal()
        for region in REGIONS:
            rds = self.rds(region)
            for found in rds.describe_db_instances()["DBInstances"]:
                if found["DBInstanceStatus"] != "deleting":
                    rds.delete_db_instance(DBInstanceIdentifier=found["DBInstanceIdentifier"], SkipFinalSnapshot=True)
            for found in rds.describe_db_snapshots()["DBSnapshots"]:
                rds.delete_db_snapshot(DBSnapshotIdentifier=found["DBSnapshotIdentifier"])
            for found in rds.describe_db_parameter_groups()["DBParameterGroups"]:
                rds.delete_db_parameter_group(DBParameterGroupName=found["DBParameterGroupName"])
        until("nothing is left", lambda: not self.databases._instances, self.loop)

    def rds(self, region: str = HOME) -> Any:
        return self.ground.api.client("rds", region)

    def create(self, name: str, region: str = HOME, **changes: Any) -> dict[str, Any]:
        """A new instance by the API, available."""
        self.rds(region).create_db_instance(**self.request(name, region, **changes))
        return self.available(name, region)

    def request(self, name: str, region: str = HOME, **changes: Any) -> dict[str, Any]:
        """What CreateDBInstance is asked."""
        return {
            "DBInstanceIdentifier": name,
            "Engine": "postgres",
            "EngineVersion": "17",
            "DBInstanceClass": "db.t4g.medium",
            "AllocatedStorage": 20,
            "MasterUsername": "master",
            "MasterUserPassword": PASSWORD,
            "DBName": "app",
            "DBSubnetGroupName": self.subnets(region),
            "BackupRetentionPeriod": 1,
            **changes,
        }

    def replica(self, name: str, source: dict[str, Any], region: str = STANDBY, **changes: Any) -> dict[str, Any]:
        """A replica by the API, available."""
        self.rds(region).create_db_instance_read_replica(
            DBInstanceIdentifier=name,
            SourceDBInstanceIdentifier=source["DBInstanceArn"],
            DBInstanceClass="db.t4g.medium",
            DBSubnetGroupName=self.subnets(region),
            **changes,
        )
        return self.available(name, region)

    def subnets(self, region: str) -> str:
        """A subnet group over two zones of the default VPC."""
        if region not in self._groups:
            found = self.ground.api.client("ec2", region).describe_subnets()["Subnets"]
            zones = {subnet["AvailabilityZone"]: subnet["SubnetId"] for subnet in found}
            self.rds(region).create_db_subnet_group(
                DBSubnetGroupName="data",
                DBSubnetGroupDescription="of tests",
                SubnetIds=[zones[zone] for zone in sorted(zones)[:2]],
            )
            self._groups.add(region)
        return "data"

    def describe(self, name: str, region: str = HOME) -> dict[str, Any]:
        found: dict[str, Any] = self.rds(region).describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]
        return found

    def available(self, name: str, region: str = HOME) -> dict[str, Any]:
        """The instance, as soon as it is."""
        until(f"{name} is available", lambda: self.describe(name, region)["DBInstanceStatus"] == "available", self.loop)
        return self.describe(name, region)

    def instance(self, name: str, region: str = HOME) -> Instance:
        """What runs of it: for a test that does harm."""
        return self.databases._instances[Key("instance", region, name)]

    def synced(self, name: str, region: str = HOME) -> Instance:
        """The same, as soon as its standby may take over."""
        found = self.instance(name, region)
        until(f"the standby of {name} has it all", lambda: found.standby.may_take_over, self.loop)
        return found

    def connect(self, name: str, region: str = HOME, **changes: Any) -> psycopg.Connection[tuple[Any, ...]]:
        """A session over verified TLS, at the endpoint that the API names."""
        at = self.describe(name, region)["Endpoint"]
        settings = {
            "host": at["Address"],
            "port": at["Port"],
            "user": "master",
            "password": PASSWORD,
            "dbname": "app",
            "autocommit": True,
            "connect_timeout": 3,
            "sslmode": "verify-full",
            "sslrootcert": str(self.ground.authority.certificate),
            **changes,
        }
        return psycopg.connect(**settings)

    def query(self, name: str, statement: str, region: str = HOME, **changes: Any) -> list[tuple[Any, ...]]:
        with self.connect(name, region, **changes) as session:
            cursor = session.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def answers(self, name: str, statement: str, wanted: list[tuple[Any, ...]], region: str = HOME) -> None:
        """Wait until a statement's rows are these."""

        def same() -> bool:
            try:
                return self.query(name, statement, region) == wanted
            except psycopg.Error:
                return False

        until(f"{statement} on {name} is {wanted}", same, self.loop)


def until(what: str, holds: Callable[[], bool], loop: Loop[Any, Any] | None = None) -> float:
    """Wait for a condition; returns the seconds it took."""
    begun = time.monotonic()
    while not holds():
        if time.monotonic() - begun > DEADLINE_S:
            raise AssertionError(f"not within {DEADLINE_S:g} s: {what} ({loop.status if loop else ''})")
        time.sleep(0.02)
    return time.monotonic() - begun


def kill(pid: int | None) -> None:
    """SIGKILL to a server that runs."""
    assert pid is not None
    os.kill(pid, signal.SIGKILL)


Twins = Callable[..., Running]


@pytest.fixture
def twins(grounds: Grounds) -> Iterator[Twins]:
    """Makes twins with databases; all end with the test."""
    with ExitStack() as stack:

        def make(admits: Admits = admits_everything, folder: Path | None = None) -> Running:
            made = Running(grounds("databases", folder=folder), admits)
            stack.callback(made.stop)
            return made

        yield make


@pytest.fixture(scope="module")
def shared() -> Iterator[Running]:
    """One for a module: its control plane and its empty cluster are made once."""
    root = Path(tempfile.mkdtemp(prefix="bicoastal-twin-"))
    root.chmod(0o755)
    with ground(root, ("databases",), REGIONS) as made:
        running = Running(made)
        yield running
        running.stop()
        end_leftovers(made.home, 1)
    shutil.rmtree(root, ignore_errors=True)


@pytest.fixture
def twin(shared: Running) -> Iterator[Running]:
    """The same, with nothing in it."""
    yield shared
    shared.clear()
