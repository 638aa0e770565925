"""How a deployment stands: who is the primary, what protects it, and what would stop a failover now. Changes nothing.

Each region has a deadline of its own: that one of them does not answer is what this is asked for most urgently.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bicoastal.aws.faults import aws_faults
from bicoastal.aws.session import Session
from bicoastal.core.errors import BicoastalError, SystemFault
from bicoastal.operate import beside
from bicoastal.operate.access import Armed, armed_in
from bicoastal.operate.decide import Doubt, objections
from bicoastal.operate.lag import lag_of
from bicoastal.operate.observe import observe_side
from bicoastal.operate.sight import SWITCH_OFF, Observation, Side
from bicoastal.operate.subject import Subject
from bicoastal.stacks.view import view


@dataclass(frozen=True)
class Region:
    """One region."""

    side: Side
    backup_at: datetime | None = None
    """Of the newest recovery point in its vault."""
    backup_unknown: str = ""
    armed: tuple[Armed, ...] | None = None
    """Instances that responders may open a session to now; None: unknown."""
    lag_s: float | None = None
    """Of its replica behind the primary, now or at their last contact; None: it has none, or it is not known."""


@dataclass(frozen=True)
class Standing:
    """The deployment."""

    regions: Mapping[str, Region]
    primary: str = ""
    """The region of the primary; empty where it is not clear."""
    protected: bool = False
    """The other region has a replica that streams: either can be lost."""
    why: tuple[str, ...] = ()
    """Why not."""
    stops: tuple[str, ...] = ()
    """What would stop a failover now."""
    seconds: float = field(default=0.0)


def stand(session: Session, subject: Subject, deadline_s: float = beside.DEADLINE_S) -> Standing:
    """Look at both regions at once. Never raises for what does not answer."""
    begun = time.monotonic()
    answers = beside.in_time(
        {region: lambda region=region: _region(session, subject, region) for region in subject.regions},  # type: ignore[misc]
        deadline_s,
    )
    seconds = time.monotonic() - begun
    silent = SystemFault(f"it has not answered within {seconds:.1f} s")
    regions = {}
    for region in subject.regions:
        answer = answers.get(region, silent)
        regions[region] = (
            Region(Side(region, answered=False, why=str(answer).splitlines()[0]))
            if isinstance(answer, BicoastalError)
            else answer
        )
    return judged(subject, regions, seconds)


def _region(session: Session, subject: Subject, region: str) -> Region:
    """One region. Raises SystemFault where it does not answer."""
    answers = beside.together(
        {
            "side": lambda: observe_side(session, subject, region),
            "backup": lambda: newest_backup(session, subject, region),
            "armed": lambda: _armed(session, subject, region),
        }
    )
    at, unknown = answers["backup"]
    side: Side = answers["side"]
    lag_s = lag_of(session, subject, side) if side.role == "replica" else None
    return Region(side, at, unknown, answers["armed"], lag_s)


def judged(subject: Subject, regions: Mapping[str, Region], seconds: float = 0.0) -> Standing:
    """How it stands by what was seen of both regions; asks nothing."""
    sides = {name: region.side for name, region in regions.items()}
    writers = [name for name, side in sides.items() if side.kit and side.kit.role == "primary" and not side.kit.fence]
    known = [name for name, side in sides.items() if side.role == "primary"]
    primary = writers[0] if len(writers) == 1 else known[0] if not writers and len(known) == 1 else ""
    silent = [name for name, side in sides.items() if not side.answered]
    if not primary and len(silent) == 1 and sides[subject.other(silent[0])].role == "replica":
        # Whoever is left follows it.
        primary = silent[0]
    why = [f"{name} does not answer: {side.why}" for name, side in sides.items() if not side.answered]
    if len(writers) > 1:
        why.append(f"databases take writes in {' and in '.join(writers)}")
    if not primary:
        return Standing(regions, "", False, (*why, "which region has the primary is not clear"), (), seconds)
    here, there = sides[primary], sides[subject.other(primary)]
    why += _unprotected(here, there)
    lag_s = regions[there.region].lag_s
    return Standing(regions, primary, not why, tuple(why), _stops(subject, there, here, lag_s), seconds)


def _unprotected(here: Side, there: Side) -> list[str]:
    why: list[str] = []
    if not here.answered:
        return why
    if here.kit is None or here.kit.fence is not None:
        why.append(
            f"the primary in {here.region} is fenced ({here.kit.fence})"
            if here.kit
            else f"no kit speaks in {here.region}"
        )
    elif not here.kit.follower:
        gone = "; the WAL that it lacks is gone: `bicoastal rejoin` builds another one" if here.kit.stranded else ""
        why.append(f"no replica of {there.region} streams from it{gone}")
    if there.answered and there.alone:
        why.append(f"the database in {there.region} follows nobody: `bicoastal rejoin` builds its next generation")
    why += [f"the switch in {side.region} says {side.switch!r}" for side in (here, there) if _on(side)]
    return why


def _on(side: Side) -> bool:
    return side.answered and side.switch not in ("", SWITCH_OFF)


def _stops(subject: Subject, standby: Side, primary: Side, lag_s: float | None) -> tuple[str, ...]:
    """What the guard would say if the primary were lost now: that it is alive would be over."""
    if not standby.answered:
        return (f"{standby.region} does not answer",)
    if standby.alone:
        return (f"{standby.region} has no replica",)
    found = objections(Observation(standby, primary, time.time()), lag_s=lag_s, budget_s=subject.rpo_s)
    # Reads are drained first; that some go on now stops nothing.
    later = {Doubt.HOME_ALIVE, *([Doubt.READS] if standby.kit is not None else [])}
    return tuple(f"{item.doubt}: {item.text}" for item in found if item.doubt not in later)


def newest_backup(session: Session, subject: Subject, region: str) -> tuple[datetime | None, str]:
    """When the newest recovery point was made; or why it is not known."""
    try:
        stack = view(session, subject.stack("vault"), region)
        vault = stack.outputs.get("BackupVaultName", "") if stack is not None else ""
        if not vault:
            return None, "no vault"
        with aws_faults(f"reading the recovery points in {region}"):
            pages = session.client("backup", region).get_paginator("list_recovery_points_by_backup_vault")
            points: list[Any] = [
                point["CreationDate"]
                for page in pages.paginate(BackupVaultName=vault)
                for point in page["RecoveryPoints"]
                if point.get("Status") == "COMPLETED"
            ]
    except BicoastalError as error:
        return None, str(error).splitlines()[0]
    return max(points, default=None), ""


def _armed(session: Session, subject: Subject, region: str) -> tuple[Armed, ...] | None:
    try:
        return armed_in(session, subject, region)
    except BicoastalError:
        return None
