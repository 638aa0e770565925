"""`bicoastal failover`: make the surviving region the primary one, after the other one is lost."""

from __future__ import annotations

import os
import time
from pathlib import Path

import click

from bicoastal.aws.session import Session
from bicoastal.cli.package import session, spec_option
from bicoastal.core.errors import Refused, SystemFault
from bicoastal.operate.failover import DRAIN_S, Failover, Report, Wishes
from bicoastal.operate.journal import Journal, held
from bicoastal.operate.subject import Subject
from bicoastal.operate.transitions import TABLES, Operation, State
from bicoastal.spec.load import load
from bicoastal.stacks.view import view


@click.command("failover")
@spec_option
@click.option("--to", "region", metavar="REGION", help="The region that takes over; the standby by default.")
@click.option("--drain", "drain_s", type=click.FloatRange(min=0), default=DRAIN_S, show_default=True,
              help="Seconds that reads there may take to finish.")  # fmt: skip
@click.option("--force", "reason", metavar="REASON", help="Override what the guard refuses; the reason is recorded.")
@click.option("--dry-run", is_flag=True, help="Say what would be done and what the guard says, and change nothing.")
@click.pass_context
def command(
    context: click.Context, spec: Path, region: str | None, *, drain_s: float, reason: str | None, dry_run: bool
) -> None:
    """Promote the replica, with the region of the primary lost. Ended or killed at any point, the same command goes on.

    Refused while the primary is alive, while reads go on, or while more would be lost than was promised: --force
    overrides it for the record. The lost region is not asked for anything.
    """
    if reason is not None and not reason.strip():
        raise click.BadParameter("say why: it is recorded", param_hint="--force")
    subject = subject_of(spec)
    target = region or subject.standby
    if target not in subject.regions:
        raise click.BadParameter(f"{target!r} is neither {subject.home} nor {subject.standby}", param_hint="--to")
    calls = session("failover", subject.prefix)
    bucket = bucket_of(calls, subject, target)
    journal = Journal(calls, target, bucket, "failover", journal_folder(subject))
    begun = time.monotonic()

    def tell(text: str) -> None:
        click.echo(f"{time.monotonic() - begun:7.1f} s  {text}", err=True)

    failover = Failover(calls, subject, Wishes(drain_s, reason or ""), region=target, journal=journal, tell=tell)
    if dry_run:
        context.exit(_dry(failover, target))
    with held(calls, target, bucket, f"failover to {target}"):
        try:
            report = failover.run()
        finally:
            journal.send()
    _print(report, journal)


def subject_of(spec_file: Path) -> Subject:
    """The deployment that a spec describes."""
    spec = load(spec_file)
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


def bucket_of(calls: Session, subject: Subject, region: str) -> str:
    """The region's artifact bucket. Raises Refused where nothing is deployed there."""
    stack = view(calls, subject.stack("foundation"), region)
    bucket = stack.outputs.get("ArtifactBucket") if stack is not None else None
    if not bucket:
        raise Refused(f"{subject.prefix} is not deployed in {region}.\n    -> `bicoastal deploy` does that.")
    return bucket


def journal_folder(subject: Subject) -> Path:
    """Where copies of the journals are kept here."""
    home = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    return home / "bicoastal" / subject.prefix / "journal"


def _dry(failover: Failover, region: str) -> int:
    state, found = failover.plan()
    click.echo(f"{region} is {state}; the next epoch is {failover.report.epoch or 'unknown'}. It would:")
    rows = TABLES[Operation.FAILOVER]
    begins = next((index for index, row in enumerate(rows) if row.state is state), 0)
    for row in rows[begins:]:
        click.echo(f"  {row.step:<34} {row.comment}")
        if row.state is State.CUT_OFF:
            click.echo("  " + "-" * 34 + " no way back from here")
    if not found:
        click.secho("The guard has no objection.", fg="green")
    for item in found:
        click.secho(f"The guard would refuse: {item.doubt}: {item.text}", fg="yellow")
    return 1 if found else 0


def _print(report: Report, journal: Journal) -> None:
    if report.epoch is None:
        raise SystemFault("the failover ended without an epoch")
    click.secho(
        f"{report.region} is the primary, in epoch {report.epoch}, after {report.seconds:.1f} s. It is unprotected: "
        "run `bicoastal rejoin` when the other region is back.",
        fg="green",
    )
    click.echo(f"The journal is {journal.file}, and in s3://{journal.bucket}/operations/journal/.")
