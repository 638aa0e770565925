"""`bicoastal switchover`: move the primary to the other region, planned, with no acknowledged write lost."""

from __future__ import annotations

from pathlib import Path

import click

from bicoastal.cli.operating import (
    alone,
    journal_of,
    other_place,
    print_end,
    print_plan,
    subject_of,
    telling,
    wanted_region,
)
from bicoastal.cli.package import session, spec_option
from bicoastal.operate.failover import DRAIN_S
from bicoastal.operate.switchover import Switchover
from bicoastal.operate.transitions import Operation, Step

PREDICTED = {
    Step.CLOSE_GATE: "1 s",
    Step.PREPARE: "5-30 s",
    Step.STOP_WRITES: "3 s",
    Step.AWAIT_REPLAY: "3 s",
    Step.PROMOTE: "1 s",
    Step.AWAIT_PROMOTION: "minutes",
    Step.RAISE_EPOCH: "5 s",
    Step.OPEN_GATE: "1 s",
    Step.LATCH_SWITCH: "1 s",
    Step.RECORD: "2-3 min",
}
"""Seconds on AWS, as for a failover. Writes pause from `stop writes` to `raise the epoch`."""


@click.command("switchover")
@spec_option
@click.option("--to", "region", metavar="REGION", required=True, help="The region that becomes the primary.")
@click.option("--drain", "drain_s", type=click.FloatRange(min=0), default=DRAIN_S, show_default=True,
              help="Seconds that reads there may take to finish.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Say what would be done and what speaks against it; change nothing.")
@click.pass_context
def command(context: click.Context, spec: Path, region: str, *, drain_s: float, dry_run: bool) -> None:
    """Stop writes, wait until the replica has every one of them, promote it, and let writes go on there.

    Whatever fails before the promotion is undone. Killed, the same command goes on; asked for the region that the
    writes were in, it goes back. Afterwards `bicoastal rejoin` makes a replica of the other side.
    """
    tell = telling()
    subject = subject_of(spec)
    target = wanted_region(subject, region, subject.standby)
    calls = session("switchover", subject.prefix)
    journal = journal_of(calls, subject, target, Operation.SWITCHOVER)
    switchover = Switchover(calls, subject, region=target, journal=journal, tell=tell, drain_s=drain_s)
    if dry_run:
        state, found = switchover.plan()
        click.echo(f"{target} is {state}; the next epoch is {switchover.report.epoch or 'unknown'}. It would:")
        predicted = {**PREDICTED, Step.AWAIT_READERS: f"<= {drain_s:g} s"}
        context.exit(print_plan(Operation.SWITCHOVER, state, found, predicted))
    other = other_place(calls, subject, subject.other(target))
    with alone(journal, f"switchover to {target}", other) as switchover.lock:
        report = switchover.run()
    paused = ""
    if switchover.pause is not None:
        begun, ended = switchover.pause
        paused = f" Writes paused for {ended - begun:.1f} s; none that was acknowledged is lost."
    back = not report.steps
    line = f"{report.region} is the primary, in epoch {report.epoch}, after {report.seconds:.1f} s.{paused}"
    if not back:
        line += " It is unprotected: run `bicoastal rejoin`."
    print_end(report, journal, line)
