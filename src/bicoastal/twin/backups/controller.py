"""Finds what AWS Backup has to do in each region, does it, and begins what a plan says when its time has come.

Level-triggered: a job that is not over is looked at in every round, and moved a step where RDS is further. Plans'
clocks run at the twin's pace from when the plan was made (`timetable`): at the real one that is the clock of the wall.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from bicoastal.twin.backups.jobs import ROUNDS_S, Roles, back_up, copy, restore
from bicoastal.twin.ground import Ground
from bicoastal.twin.interfaces import Measurement
from bicoastal.twin.timetable import Clock, due

Json = Any
Key = tuple[Literal["backup", "copy", "restore", "schedule", "expiry"], str, str]
"""Kind, region and name."""
_DAY_S = 86_400.0
_METRICS = {
    "COMPLETED": "NumberOfBackupJobsCompleted",
    "FAILED": "NumberOfBackupJobsFailed",
    "EXPIRED": "NumberOfBackupJobsExpired",
    "ABORTED": "NumberOfBackupJobsAborted",
}
_STEPS = {"backup": back_up, "copy": copy, "restore": restore}


class Backups:
    """The room's controller; Measured."""

    name = "backups"

    def __init__(self, ground: Ground) -> None:
        """It acts by RDS's API alone: whoever runs the databases makes what it asks for real."""
        self._ground = ground
        self._roles = Roles(ground)
        self._lock = threading.Lock()
        self._ended: dict[tuple[str, str, str], int] = {}
        """Region, vault and state to how many backup jobs have ended so."""
        self._published: dict[tuple[str, str, str], int] | None = None
        self._clock = time.time

    def observe(self) -> Mapping[Key, Json]:
        """What is not over, and what will be due."""
        found: dict[Key, Json] = {}
        ended: dict[tuple[str, str, str], int] = {}
        for region in self._ground.regions:
            work = self._ground.api.report("backup.work", region)
            found.update({("backup", region, job["_id"]): job for job in work["backups"]})
            found.update({("copy", region, job["_id"]): job for job in work["copies"]})
            found.update({("restore", region, job["_id"]): job for job in work["restores"]})
            found.update({("schedule", region, item["name"]): item for item in work["schedules"]})
            found.update({("expiry", region, item["arn"]): item for item in work["expiring"]})
            ended.update({(region, vault, state): number for vault, state, number in work["ended"]})
        with self._lock:
            self._ended = ended
            if self._published is None:
                self._published = dict(ended)  # an earlier twin has published those
        return found

    def running(self) -> set[Key]:
        """Nothing runs here: all that is begun is in RDS."""
        return set()

    def converge(self, key: Key, desired: Json | None) -> None:
        """Move one thing on."""
        kind, region, name = key
        if desired is None:
            return
        if kind == "schedule":
            self._schedule(region, name, desired)
        elif kind == "expiry":
            if self._clock() >= desired["created"] + self._ground.pace.seconds(desired["days"] * _DAY_S):
                self._ground.api.report("backup.expired", region, arn=name)
        else:
            _STEPS[kind](self._ground, self._roles, region, desired)

    def close(self) -> None:
        """Nothing is left to end."""

    def _schedule(self, region: str, name: str, item: Mapping[str, Json]) -> None:
        clock = Clock(float(item["made"]), self._ground.pace)
        last = None if item["last"] is None else float(item["last"])
        at = due(str(item["expression"]), str(item["zone"]), clock, last)
        now = self._clock()
        if at is not None and now >= at:
            late = now > at + max(self._ground.pace.seconds(float(item["window_s"])), ROUNDS_S)
            self._ground.api.report("backup.due", region, schedule=name, at=at, late=late)

    def measurements(self) -> Iterable[Measurement]:
        """`AWS/Backup`: backup jobs that have ended since the last time, by vault."""
        with self._lock:
            before, now = self._published or {}, dict(self._ended)
            self._published = now
        return [
            Measurement(region, "AWS/Backup", _METRICS[state], {"BackupVaultName": vault}, "Count", float(number))
            for (region, vault, state), total in now.items()
            if state in _METRICS and (number := total - before.get((region, vault, state), 0)) > 0
        ]
