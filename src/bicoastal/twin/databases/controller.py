"""The databases controller: reads what RDS's API wants, and makes each DB instance and DB snapshot so.

It decides nothing about what should be. `lose` and `recover` are a drill's: what is lost is not healed meanwhile.
"""

from __future__ import annotations

import contextlib
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from bicoastal.core.errors import SystemFault
from bicoastal.twin.databases import desired, settings
from bicoastal.twin.databases.desired import Desired, Key, Wanted, WantedSnapshot
from bicoastal.twin.databases.instance import Instance
from bicoastal.twin.databases.measurements import HEARTBEAT, measure
from bicoastal.twin.databases.programs import Programs, copy
from bicoastal.twin.databases.server import Session
from bicoastal.twin.databases.site import Site
from bicoastal.twin.databases.template import Template, passwords
from bicoastal.twin.ground import Ground
from bicoastal.twin.interfaces import Admits, How, Measurement, admits_everything
from bicoastal.twin.wire import Place

_HEARTBEAT_S = 300.0
_BREATH_S = 0.05
"""Between two observations at least."""


@dataclass(frozen=True)
class LogFile:
    """PostgreSQL's log of an instance that exports it."""

    region: str
    identifier: str
    group: str
    path: Path
    """Of the server that serves: another one after a failover."""


def region_place(owner: str) -> Place:
    """The region of `instance/us-east-1/i-0123`; its zone is not in its name."""
    return Place(owner.split("/")[1])


class Databases:
    """A controller for `Loop`; Measured and Losable."""

    name = "databases"

    def __init__(
        self,
        ground: Ground,
        admits: Admits = admits_everything,
        place: Callable[[str], Place] = region_place,
    ) -> None:
        """Find PostgreSQL, and begin to make an empty cluster in the background. Raises SystemFault without it.

        `place` tells where the owner of a program is, with its zone where that is known.
        """
        self._ground = ground
        self._instances: dict[Key, Instance] = {}
        self._snapshots: set[Key] = set()
        self._lost: dict[str, How] = {}
        self._zones: set[tuple[str, str]] = set()
        """Regions with a zone that is lost there."""
        self._lock = threading.Lock()
        self._beaten = time.monotonic()
        self._observed = 0.0
        programs, secret = Programs(ground.home), passwords(ground.home)
        template = Template(ground.home, programs, ground.authority, secret)
        self._site = Site(
            ground,
            programs,
            secret,
            template,
            admits,
            place,
            lost=self._lost.get,
            zone_lost=lambda region, zone: (region, zone) in self._zones,
            find=self._instances.get,
        )
        template.prepare()

    def observe(self) -> Mapping[Key, Desired]:
        """Every DB instance and DB snapshot of the twin's regions."""
        # A deployment changes the API's state a hundred times a second.
        time.sleep(max(self._observed + _BREATH_S - time.monotonic(), 0))
        self._observed = time.monotonic()
        return desired.read(self._ground.api)

    def running(self) -> set[Key]:
        """Those that were converged."""
        with self._lock:
            return {*self._instances, *self._snapshots}

    def converge(self, key: Key, desired: Desired | None) -> None:
        """Make one so."""
        if isinstance(desired, Wanted):
            self._instance(key).converge(desired)
        elif isinstance(desired, WantedSnapshot):
            self._keep(desired)
        elif key.kind == "snapshot":
            with self._lock:
                self._snapshots.discard(key)
            shutil.rmtree(self.snapshot_folder(key.region, key.identifier).parent, ignore_errors=True)
        else:
            # Its record is gone: by a deletion that was carried out, or with the API's state. Data are not removed.
            with self._lock:
                gone = self._instances.pop(key, None)
            if gone is not None:
                gone.close()

    def _instance(self, key: Key) -> Instance:
        with self._lock:
            if key not in self._instances:
                self._instances[key] = Instance(self._site, key)
            return self._instances[key]

    def _keep(self, wanted: WantedSnapshot) -> None:
        """The data of a snapshot that is being created."""
        with self._lock:
            self._snapshots.add(wanted.key)
        if wanted.status != "creating" or self._lost.get(wanted.key.region) == "refuse":
            return
        folder = self.snapshot_folder(wanted.key.region, wanted.key.identifier)
        if not folder.exists():
            if wanted.copy_of is not None:
                self.keep(wanted.key.region, wanted.key.identifier, self.snapshot_folder(*wanted.copy_of[1:]))
            else:
                self.backup(wanted.instance.region, wanted.instance.identifier, folder)
        self._ground.api.report("rds.snapshot", wanted.key.region, identifier=wanted.key.identifier, status="available")

    def close(self) -> None:
        """End every server, those that others follow first, and keep their data."""
        with self._lock:
            instances = list(self._instances.values())
        with ThreadPoolExecutor(max_workers=8) as pool:
            for replicas in (False, True):
                list(pool.map(Instance.close, [one for one in instances if one.primary.follows is replicas]))
        self._site.template.close()

    def backup(self, region: str, identifier: str, into: Path) -> None:
        """Make a base backup of an instance: `into`, which must not exist, becomes a data folder.

        It belongs to the account that servers run as. Raises SystemFault when there is no such instance, or it fails.
        """
        found = self._instances.get(Key("instance", region, identifier))
        if found is None or not found.primary.exists:
            raise SystemFault(f"database {region}/{identifier}: there is none to be backed up.")
        found.backup(into)

    def look_into(self, region: str, identifier: str, database: str, statement: str) -> list[tuple[Any, ...]]:
        """What a statement that only reads gives, as the superuser: for an auditor, whom no fence and no cut keeps out.

        Raises SystemFault when the instance does not run, or does not answer.
        """
        found = self._instances.get(Key("instance", region, identifier))
        if found is None or found.primary.pid is None:
            raise SystemFault(f"database {region}/{identifier}: it does not run.")
        try:
            with found.primary.connect(settings.SUPERUSER, self._site.passwords.superuser, database) as session:
                session.read_only = True
                return session.execute(statement.encode()).fetchall()
        except psycopg.Error as error:
            raise SystemFault(f"database {region}/{identifier}: {str(error).strip()}") from error

    def log_in(self, region: str, identifier: str, user: str, password: str, database: str) -> Session:
        """A session of somebody with a password, straight to the server that serves, for an auditor as above.

        Raises SystemFault when the instance does not run, or refuses.
        """
        found = self._one(region, identifier)
        if found.primary.pid is None:
            raise SystemFault(f"database {region}/{identifier}: it does not run.")
        try:
            return found.primary.connect(user, password, database)
        except psycopg.Error as error:
            raise SystemFault(f"database {region}/{identifier}: {str(error).strip()}") from error

    def keep(self, region: str, snapshot: str, data: Path) -> None:
        """Make a copy of a base backup the data of a DB snapshot: an instance can be born from it by its identifier."""
        folder = self.snapshot_folder(region, snapshot)
        partial = folder.with_name("part")
        shutil.rmtree(partial, ignore_errors=True)
        copy(self._ground.home, data, partial)
        partial.rename(folder)

    def snapshot_folder(self, region: str, snapshot: str) -> Path:
        """Where the data of a DB snapshot are."""
        return self._ground.home.databases("snapshots", region, snapshot, "data")

    def log_files(self) -> list[LogFile]:
        """Of the instances that export `postgresql` to CloudWatch Logs."""
        with self._lock:
            instances = list(self._instances.values())
        return [
            LogFile(
                one.key.region,
                one.key.identifier,
                f"/aws/rds/instance/{one.key.identifier}/postgresql",
                one.primary.log,
            )
            for one in instances
            if one.wanted is not None and "postgresql" in one.wanted.exports
        ]

    def measurements(self) -> Iterable[Measurement]:
        """Of every instance of a region that is not lost."""
        with self._lock:
            instances = [one for key, one in self._instances.items() if key.region not in self._lost]
        if time.monotonic() - self._beaten > self._ground.pace.seconds(_HEARTBEAT_S):
            self._beaten = time.monotonic()
            for one in instances:
                if one.primary.pid is not None and not one.primary.follows:
                    with contextlib.suppress(SystemFault):
                        one.primary.ask(self._site.passwords, HEARTBEAT)
        return [found for one in instances for found in measure(one)]

    def lose(self, region: str, how: How) -> None:
        """`refuse`: its servers are killed, at once. `black-hole`: they run on, and answer nobody outside."""
        self._lost[region] = how
        if how == "refuse":
            with self._lock:
                instances = [one for key, one in self._instances.items() if key.region == region]
            with ThreadPoolExecutor(max_workers=8) as pool:
                list(pool.map(Instance.lose, instances))

    def recover(self, region: str) -> None:
        """Its hosts are there again."""
        self._lost.pop(region, None)

    def lose_zone(self, region: str, zone: str) -> None:
        """The hosts there are gone. A standby takes over for what served there, and is made anew in another zone."""
        self._zones.add((region, zone))
        with self._lock:
            instances = [one for key, one in self._instances.items() if key.region == region]
        with ThreadPoolExecutor(max_workers=8) as pool:
            list(pool.map(lambda one: one.crash_in(zone), instances))

    def recover_zone(self, region: str, zone: str) -> None:
        """It takes hosts again."""
        self._zones.discard((region, zone))

    def crash(self, region: str, id_: str) -> None:
        """The host of the node that serves fails. RDS moves to the standby, or starts it again."""
        self._one(region, id_).crash()

    def wreck(self, region: str, id_: str) -> None:
        """The same, with its disk. Without a standby nothing is left."""
        self._one(region, id_).crash(disk=True)

    def take_away(self, region: str, id_: str) -> None:
        """Both hosts of a DB instance are gone, and stay away until they are given back."""
        self._one(region, id_).take_away()

    def give_back(self, region: str, id_: str) -> None:
        """They are there again, with their disks."""
        self._one(region, id_).give_back()

    def _one(self, region: str, identifier: str) -> Instance:
        found = self._instances.get(Key("instance", region, identifier))
        if found is None:
            raise SystemFault(f"there is no database {region}/{identifier}.")
        return found
