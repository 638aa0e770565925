"""What `failover`, `switchover` and `rejoin` share: which deployment, where the journal lies, how it is told."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path

import click

from bicoastal.aws.session import Session
from bicoastal.core.errors import Refused, SystemFault
from bicoastal.operate.decide import Objection
from bicoastal.operate.journal import Journal
from bicoastal.operate.lock import LOCK, Held, Place, held
from bicoastal.operate.subject import Subject
from bicoastal.operate.transitions import TABLES, Operation, State, Step
from bicoastal.operate.walk import Report
from bicoastal.spec.load import load
from bicoastal.spec.model import Spec

ASIDE_S = 5.0
"""For an answer of a region that an operation can do without."""


def subject_of(spec_file: Path) -> Subject:
    """The deployment that a spec describes."""
    return subject_from(load(spec_file))


def subject_from(spec: Spec) -> Subject:
    """The same, of a spec that was read."""
    return Subject(
        application=spec.name,
        environment=spec.environment,
        domain=spec.domain.name,
        home=spec.home,
        standby=spec.standby,
        routing=spec.routing.value,
        rpo_s=spec.promise.rpo_seconds,
        failover_tags=spec.failover_tags,
    )


def wanted_region(subject: Subject, region: str | None, default: str) -> str:
    """The region that was asked for. Raises BadParameter for one that is none of both."""
    target = region or default
    if target not in subject.regions:
        raise click.BadParameter(f"{target!r} is neither {subject.home} nor {subject.standby}", param_hint="--to")
    return target


def journal_of(calls: Session, subject: Subject, region: str, operation: Operation) -> Journal:
    """In the region's artifact bucket, with a copy here. Raises Refused where nothing is deployed there."""
    bucket = place_of(calls, subject, region).bucket
    home = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    return Journal(calls, region, bucket, operation.value, home / "bicoastal" / subject.prefix / "journal")


def place_of(calls: Session, subject: Subject, region: str) -> Place:
    """Where a region's locks lie. Raises Refused where nothing is deployed there, SystemFault where it is silent."""
    from bicoastal.stacks.view import view  # noqa: PLC0415 - only who operates needs it

    stack = view(calls, subject.stack("foundation"), region)
    bucket = stack.outputs.get("ArtifactBucket") if stack is not None else None
    if not bucket:
        raise Refused(f"{subject.prefix} is not deployed in {region}.\n    -> `bicoastal deploy` does that.")
    return Place(calls, region, bucket)


def other_place(calls: Session, subject: Subject, region: str) -> Place | None:
    """The same of a region that may be lost: asked once and briefly. None, and it is told, where it does not answer."""
    found = None
    with unless_silent(region):
        found = place_of(Session(calls.log, attempts=1, read_timeout_s=ASIDE_S), subject, region)
    return found  # noqa: RET504 - it is None where the region is silent


@contextmanager
def unless_silent(region: str) -> Iterator[None]:
    """Ask a region that may be lost whether an operation is under way there: a SystemFault is told and passed over."""
    try:
        yield
    except SystemFault as fault:
        click.echo(f"Whether an operation is under way in {region} is unknown: {str(fault).splitlines()[0]}", err=True)


@contextmanager
def alone(journal: Journal, what: str, other: Place | None = None, key: str = LOCK) -> Iterator[Held]:
    """Hold the lock in the journal's region, and the other one's where it answers; send the journal at the end.

    Raises Refused, naming the holder, where somebody else does, and SystemFault where the journal's is silent.
    """
    mine = Place(journal.session, journal.region, journal.bucket)
    places = [mine] if other is None else sorted((mine, other), key=lambda place: place.region)
    with ExitStack() as ends:
        locks = []
        for place in places:
            with nullcontext() if place is mine else unless_silent(place.region):
                locks.append(ends.enter_context(held(place, what, key)))
        try:
            yield Held(locks)
        finally:
            journal.send()


def telling() -> Callable[[str], None]:
    """Lines on standard error, each with the seconds since now."""
    begun = time.monotonic()

    def tell(text: str) -> None:
        click.echo(f"{time.monotonic() - begun:7.1f} s  {text}", err=True)

    return tell


def print_plan(
    operation: Operation, state: State, found: Sequence[Objection], seconds: dict[Step, str] | None = None
) -> int:
    """The rows that are left, with how long each should take, and what the guard says; returns the exit code."""
    rows = TABLES[operation]
    begins = next((index for index, row in enumerate(rows) if row.state is state), 0)
    told_way_back = False
    for row in rows[begins:]:
        if not row.reversible and not told_way_back:
            click.echo(f"  {'-' * 32} no way back from here")
            told_way_back = True
        click.echo(f"  {row.step:<32} {(seconds or {}).get(row.step, ''):>10}  {row.comment}")
    if not found:
        click.secho("The guard has no objection.", fg="green")
    for item in found:
        click.secho(f"The guard would refuse: {item.doubt}: {item.text}", fg="yellow")
    return 1 if found else 0


def print_end(report: Report, journal: Journal, line: str) -> None:
    """How it ended, and where it is written."""
    click.secho(line, fg="green")
    for note in report.notes:
        click.secho(f"  {note}", fg="yellow")
    click.echo(f"The journal is {journal.file}, and in s3://{journal.bucket}/operations/journal/.")
