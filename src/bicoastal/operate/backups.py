"""What is kept of the database, where, and when the next backup comes: both regions' vaults. Changes nothing.

A region that does not answer in time is told as unknown, and so is a size or a copy that nobody says.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from bicoastal.aws.faults import ApiFault, aws_faults
from bicoastal.aws.session import Session
from bicoastal.core.cron import cron
from bicoastal.core.errors import BicoastalError, Refused, SystemFault
from bicoastal.operate import beside
from bicoastal.operate.subject import Subject
from bicoastal.stacks.view import view

PATIENT_S = 15.0
"""For a region that is slow to answer, where something is chosen of what both keep."""
COMPLETED = "COMPLETED"
_DENIED = ("AccessDenied", "AccessDeniedException")


@dataclass(frozen=True)
class Copy:
    """A copy job."""

    origin: str
    """ARN of the recovery point that was copied."""
    made: str
    """ARN of the copy; empty while there is none."""
    region: str
    """Where it goes."""
    state: str


@dataclass(frozen=True)
class Point:
    """A recovery point."""

    arn: str
    region: str
    vault: str
    state: str
    """AWS Backup's: `COMPLETED`, `PARTIAL`, `EXPIRED`, ..."""
    taken: datetime
    """When the backup was made; of a copy, when its original was, where that is known."""
    source: str
    """ARN of the DB instance."""
    size: int | None
    """Bytes; None: AWS Backup does not say it."""
    until: datetime | None
    """When it expires; None: never, or it is not said."""
    copied_from: str = ""
    """Region of its original; empty for an original."""
    copies: tuple[Copy, ...] = ()

    @property
    def id(self) -> str:
        """What a person types: the end of the ARN, after `awsbackup:`."""
        return self.arn.rpartition(":")[2]

    @property
    def instance(self) -> str:
        """The identifier of the DB instance."""
        return self.source.rpartition(":")[2]


@dataclass(frozen=True)
class Schedule:
    """A rule of the region's plan."""

    expression: str
    zone: str
    next_at: datetime | None
    """By the calendar; None: never, or the expression is none of cron's."""


@dataclass(frozen=True)
class Vault:
    """What one region keeps."""

    region: str
    answered: bool
    why: str = ""
    """Why not."""
    name: str = ""
    points: tuple[Point, ...] = ()
    """Newest first."""
    schedules: tuple[Schedule, ...] = ()
    selected: bool | None = None
    """The plan backs something up here: it does where the primary is. None: unknown."""
    jobs: tuple[Copy, ...] = field(default=(), repr=False)
    """Copies that were begun here, as far back as AWS Backup tells."""


def keep(session: Session, subject: Subject, deadline_s: float = beside.DEADLINE_S) -> tuple[Vault, ...]:
    """Both vaults, home first. Never raises for a region that does not answer, or has no vault.

    One that is silent is given `deadline_s` once the other one has answered.
    """
    begun = time.monotonic()
    answers = beside.in_time(
        {region: partial(look, session, subject, region) for region in subject.regions}, deadline_s
    )
    silent = SystemFault(f"it has not answered within {time.monotonic() - begun:.1f} s")
    found = {region: answers.get(region, silent) for region in subject.regions}
    return _related(
        [
            Vault(region, answered=False, why=str(answer).splitlines()[0])
            if isinstance(answer, BicoastalError)
            else answer
            for region, answer in found.items()
        ]
    )


def look(session: Session, subject: Subject, region: str) -> Vault:
    """One region's vault. Raises SystemFault where its API does not answer, Refused where there is no vault."""
    stack = view(session, subject.stack("vault"), region)
    name = stack.outputs.get("BackupVaultName", "") if stack is not None else ""
    if not name:
        raise Refused(f"{subject.prefix} has no vault in {region}.\n    -> `bicoastal deploy` makes it.")
    answers = beside.together(
        {
            "points": lambda: _points(session, region, name),
            "copies": lambda: _unless_denied(partial(_copies, session, region, name), []),
            "plan": lambda: _unless_denied(partial(_plan, session, subject, region), ((), None)),
        }
    )
    schedules, selected = answers["plan"]
    points = sorted(answers["points"], key=lambda point: point.taken, reverse=True)
    return Vault(region, True, "", name, tuple(points), schedules, selected, tuple(answers["copies"]))


def _unless_denied(ask: Callable[[], Any], unknown: Any) -> Any:
    """Who may see recovery points need not be allowed to see plans and jobs: what he may not see is unknown."""
    try:
        return ask()
    except ApiFault as fault:
        if fault.code not in _DENIED:
            raise
        return unknown


def _points(session: Session, region: str, vault: str) -> list[Point]:
    with aws_faults(f"reading the recovery points in {region}"):
        pages = session.client("backup", region).get_paginator("list_recovery_points_by_backup_vault")
        return [
            _point(item, region, vault)
            for page in pages.paginate(BackupVaultName=vault)
            for item in page["RecoveryPoints"]
        ]


def _point(item: Mapping[str, Any], region: str, vault: str) -> Point:
    source = str(item.get("ResourceArn", ""))
    origin = str(item.get("SourceBackupVaultArn") or "")
    of = origin.split(":")[3] if origin else source.split(":")[3] if source.count(":") > 3 else region
    return Point(
        arn=item["RecoveryPointArn"],
        region=region,
        vault=vault,
        state=str(item.get("Status", "")),
        taken=item["CreationDate"],
        source=source,
        size=item.get("BackupSizeInBytes") or None,
        until=(item.get("CalculatedLifecycle") or {}).get("DeleteAt"),
        copied_from="" if of == region else of,
    )


def _copies(session: Session, region: str, vault: str) -> list[Copy]:
    with aws_faults(f"reading the copy jobs in {region}"):
        pages = session.client("backup", region).get_paginator("list_copy_jobs").paginate()
        return [
            Copy(
                origin=item.get("SourceRecoveryPointArn", ""),
                made=item.get("DestinationRecoveryPointArn", ""),
                region=item["DestinationBackupVaultArn"].split(":")[3],
                state=item["State"],
            )
            for page in pages
            for item in page["CopyJobs"]
            if item.get("SourceBackupVaultArn", "").endswith(f":backup-vault:{vault}")
        ]


def _plan(session: Session, subject: Subject, region: str) -> tuple[tuple[Schedule, ...], bool | None]:
    stack = view(session, subject.stack("backup"), region)
    plan = stack.outputs.get("BackupPlanId", "") if stack is not None else ""
    if not plan:
        return (), False
    client = session.client("backup", region)
    with aws_faults(f"reading the backup plan in {region}"):
        rules = client.get_backup_plan(BackupPlanId=plan)["BackupPlan"]["Rules"]
        selected = bool(client.list_backup_selections(BackupPlanId=plan)["BackupSelectionsList"])
    now = datetime.now(UTC)
    return tuple(_schedule(rule, now) for rule in rules), selected


def _schedule(rule: Mapping[str, Any], now: datetime) -> Schedule:
    expression = str(rule.get("ScheduleExpression", ""))
    zone = str(rule.get("ScheduleExpressionTimezone") or "Etc/UTC")
    try:
        at = cron(expression.removeprefix("cron(").removesuffix(")"), zone, now)
    except SystemFault:
        at = None
    return Schedule(expression, zone, at)


def _related(vaults: list[Vault]) -> tuple[Vault, ...]:
    """Originals know their copies, and copies when their original was made."""
    jobs = [job for vault in vaults for job in vault.jobs]
    known = {point.arn: point for vault in vaults for point in vault.points}
    origins = {job.made: known[job.origin] for job in jobs if job.made and job.origin in known}

    def related(point: Point) -> Point:
        origin = origins.get(point.arn)
        taken, of = (origin.taken, origin.region) if origin is not None else (point.taken, point.copied_from)
        copies = tuple(job for job in jobs if job.origin == point.arn)
        return replace(point, taken=taken, copied_from=of, copies=copies)

    return tuple(
        replace(vault, points=tuple(sorted(map(related, vault.points), key=_newest_first))) for vault in vaults
    )


def _newest_first(point: Point) -> float:
    return -point.taken.timestamp()


def choose(vaults: tuple[Vault, ...], *, named: str = "", before: datetime | None = None, region: str = "") -> Point:
    """The recovery point that is meant: a named one, else the newest completed one, not after `before`.

    Of an original and its copy the original is taken, unless `region` says otherwise. Raises Refused where it is
    unknown, ambiguous or not completed.
    """
    asked = [vault for vault in vaults if not region or vault.region == region]
    unknown = "".join(
        f"\n  {vault.region} does not answer, what it keeps is unknown: {vault.why}"
        for vault in asked
        if not vault.answered
    )
    points = [point for vault in asked for point in vault.points]
    if named:
        return _named(points, named, unknown)
    found = [point for point in points if point.state == COMPLETED and (before is None or point.taken <= before)]
    if not found:
        of = "" if before is None else f" from {before.astimezone(UTC):%Y-%m-%d %H:%M} UTC or before"
        raise Refused(
            f"There is no completed recovery point{of}{f' in {region}' if region else ''}.{unknown}\n"
            "    -> `bicoastal backup list` shows what there is."
        )
    return max(found, key=lambda point: (point.taken, not point.copied_from))


def _named(points: list[Point], named: str, unknown: str) -> Point:
    found = [point for point in points if named in (point.arn, point.id)]
    found = found or [point for point in points if point.id.lower().startswith(named.lower())]
    if len(found) != 1:
        many = f"{named} begins the names of {len(found)} recovery points: write more of it"
        raise Refused(
            f"{many if found else f'{named} is no recovery point of this deployment'}.{unknown}\n"
            "    -> `bicoastal backup list` shows what there is."
        )
    (point,) = found
    if point.state != COMPLETED:
        raise Refused(
            f"{point.id} in {point.region} is {point.state or 'in an unknown state'}, and only a completed recovery "
            "point can be restored.\n    -> Wait for its end, or take another one: `bicoastal backup list`."
        )
    return point
