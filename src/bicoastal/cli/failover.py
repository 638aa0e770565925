"""`bicoastal failover`: make the surviving region the primary one, after the other one is lost."""

from __future__ import annotations

from pathlib import Path

import click

from bicoastal.aws.session import Session
from bicoastal.cli.operating import alone, journal_of, print_end, print_plan, subject_of, telling, wanted_region
from bicoastal.cli.package import session, spec_option
from bicoastal.operate.failover import DRAIN_S, ISOLATION_S, WITNESS_TTL_S, Failover, Wishes
from bicoastal.operate.subject import Subject
from bicoastal.operate.transitions import Operation, Step
from bicoastal.operate.walk import Tell

PREDICTED = {
    Step.CLOSE_GATE: "1 s",
    Step.LATCH_SWITCH: "1 s",
    Step.AWAIT_FENCE: f"<= {ISOLATION_S + WITNESS_TTL_S + 1:.0f} s",
    Step.PROMOTE: "5-30 s",
    Step.AWAIT_PROMOTION: "minutes",
    Step.RAISE_EPOCH: "5 s",
    Step.OPEN_GATE: "1 s",
    Step.RECORD: "2-3 min",
    Step.OVERRIDE_TAGS: "10 s",
}
"""Seconds on AWS. The promotion is RDS's own ("a few minutes", longer by size), the record CloudFormation's polls of
30 s; both from AWS's documentation. The rest are calls that answer at once, and waits of the kit's own intervals."""


@click.command("failover")
@spec_option
@click.option("--to", "region", metavar="REGION", help="The region that takes over; the standby by default.")
@click.option("--drain", "drain_s", type=click.FloatRange(min=0), default=DRAIN_S, show_default=True,
              help="Seconds that reads there may take to finish.")  # fmt: skip
@click.option("--force", "reason", metavar="REASON", help="Override what the guard refuses; the reason is recorded.")
@click.option("--dry-run", is_flag=True, help="Say what would be done and what the guard says, and change nothing.")
@click.option("--in-region", is_flag=True,
              help="Move the database to its standby in another zone; --to names the region.")  # fmt: skip
@click.pass_context
def command(
    context: click.Context,
    spec: Path,
    region: str | None,
    *,
    drain_s: float,
    reason: str | None,
    dry_run: bool,
    in_region: bool,
) -> None:
    """Promote the replica, with the region of the primary lost. Ended or killed at any point, the same command goes on.

    Refused while the primary is alive, while reads go on, or while more would be lost than was promised: --force
    overrides it for the record. The lost region is not asked for anything.
    """
    if reason is not None and not reason.strip():
        raise click.BadParameter("say why: it is recorded", param_hint="--force")
    tell = telling()
    subject = subject_of(spec)
    if in_region:
        if reason is not None:
            raise click.BadParameter("a failover inside a region has no guard to override", param_hint="--force")
        _in_region(subject, wanted_region(subject, region, subject.home), tell, dry_run=dry_run)
        return
    target = wanted_region(subject, region, subject.standby)
    calls = session("failover", subject.prefix)
    journal = journal_of(calls, subject, target, Operation.FAILOVER)
    wishes = Wishes(drain_s, reason or "")
    failover = Failover(
        calls, subject, wishes, region=target, journal=journal, tell=tell, aside=Session(calls.log, attempts=1)
    )
    if dry_run:
        state, found = failover.plan()
        click.echo(f"{target} is {state}; the next epoch is {failover.report.epoch or 'unknown'}. It would:")
        predicted = {**PREDICTED, Step.AWAIT_READERS: f"<= {drain_s:g} s"}
        context.exit(print_plan(Operation.FAILOVER, state, found, predicted))
    with alone(journal, f"failover to {target}") as failover.lock:
        report = failover.run()
    print_end(
        report,
        journal,
        f"{report.region} is the primary, in epoch {report.epoch}, after {report.seconds:.1f} s. It is unprotected: "
        "run `bicoastal rejoin` when the other region is back.",
    )


def _in_region(subject: Subject, region: str, tell: Tell, *, dry_run: bool) -> None:
    from bicoastal.operate.in_region import fail_over_in_region, movable  # noqa: PLC0415 - another operation altogether

    calls = session("failover", subject.prefix)
    if dry_run:
        found = movable(calls, subject, region)
        click.echo(
            f"{found.identifier} is {found.status} in {found.zone}, with a standby in another zone. RDS would restart "
            "it there, in 60 to 120 s by its documentation; the endpoint stays. Nothing was changed."
        )
        return
    journal = journal_of(calls, subject, region, Operation.FAILOVER)
    with alone(journal, f"failover inside {region}"):
        after = fail_over_in_region(calls, subject, region, journal, tell)
    click.secho(f"{after.identifier} is {after.status} in {after.zone}. No acknowledged write is lost.", fg="green")
    click.echo(f"The journal is {journal.file}, and in s3://{journal.bucket}/operations/journal/.")
