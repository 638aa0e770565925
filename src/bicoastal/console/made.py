"""A console put together: for a twin that runs in this process, and for whatever AWS_* points to."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bicoastal.aws.session import Session
from bicoastal.console.drills import Drills
from bicoastal.console.faults import SECTION as FAULTS
from bicoastal.console.faults import Hand
from bicoastal.console.feed import Feed
from bicoastal.console.key import Key, door
from bicoastal.console.operations import AWS, TWIN, Operations, Rights
from bicoastal.console.server import Console, Parts
from bicoastal.operate.subject import Subject
from bicoastal.operate.watch.watcher import Rhythm, Users, Watcher
from bicoastal.twin.faults import Faults
from bicoastal.twin.pace import Pace

READ_S = 5.0
"""For an answer of the API: who watches would rather hear that there is none."""


@dataclass(frozen=True)
class Deployment:
    """What is watched."""

    subject: Subject
    spec: Path
    session: Session
    environment: Mapping[str, str]
    """Of the commands that are started from the page."""
    state: Path
    """The folder under which they keep their journals."""


@dataclass(frozen=True)
class TwinSide:
    """What a twin in this process gives beyond the AWS API."""

    pace: Pace
    faults: Faults
    users: Users
    pages: Mapping[str, str]
    """Region to the address of its users' page."""
    round_trip_s: float
    """Between the regions."""


def console(
    deployment: Deployment, rhythm: Rhythm, *, keep: Path, reports: Path, port: int | None = None,
    twin: TwinSide | None = None,
) -> Console:  # fmt: skip
    """One that listens already and serves when it is started. `keep` is the file of its key. Raises SystemFault."""
    key, listening = door(keep, port)
    feed = Feed()
    hand = Hand(twin.faults, feed.happened) if twin is not None else None
    extras: dict[str, Callable[[], Any]] = {FAULTS: hand.standing} if hand is not None else {}
    watcher = Watcher(
        deployment.session, deployment.subject, feed, rhythm,
        users=twin.users if twin is not None else None, extras=extras,
    )  # fmt: skip
    feed.attend(watcher.start, watcher.stop)
    rights = TWIN if twin is not None else AWS
    operations = Operations(
        deployment.subject, deployment.spec, deployment.environment, deployment.state,
        feed=feed, rights=rights, busy=lambda busy: _busy(watcher, busy),
    )  # fmt: skip
    drills = Drills(deployment.spec, reports, _without_aws(), feed)
    feed.put("about", _about(deployment, rhythm, rights, twin, drills))
    parts = Parts(feed, watcher, operations, drills, hand)
    return Console(key, listening, parts)


def _busy(watcher: Watcher, busy: bool) -> None:
    watcher.busy = busy
    watcher.again()


def _where(twin: TwinSide | None) -> str:
    return "AWS" if twin is None else f"the twin on this machine, {twin.pace.name} pace"


def _about(
    deployment: Deployment, rhythm: Rhythm, rights: Rights, twin: TwinSide | None, drills: Drills
) -> Mapping[str, Any]:
    """What does not change while a console runs."""
    subject = deployment.subject
    return {
        "name": subject.prefix, "domain": subject.domain, "home": subject.home, "standby": subject.standby,
        "routing": subject.routing, "rpo_s": subject.rpo_s, "failover_tags": subject.failover_tags,
        "where": _where(twin), "twin": twin is not None,
        "pace": twin.pace.factor if twin is not None else 1,
        "pages": twin.pages if twin is not None else {},
        "round_trip_s": twin.round_trip_s if twin is not None else None,
        "verbs": sorted(rights.verbs), "force": rights.force, "typed": rights.typed,
        "drills": drills.known(), "reports": str(drills.folder),
        "step_s": rhythm.clock.step_s, "window_s": rhythm.clock.window_s,
    }  # fmt: skip


def _without_aws() -> dict[str, str]:
    """A drill has a twin of its own: whatever AWS_* points to is none of its business."""
    return {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}


__all__ = ["READ_S", "Deployment", "Key", "TwinSide", "console"]
