"""`bicoastal rejoin`: make a replica of the side that was lost, so that either region can be lost again."""

from __future__ import annotations

from pathlib import Path

import click

from bicoastal.cli.operating import alone, journal_of, other_place, print_end, print_plan, subject_of, telling
from bicoastal.cli.package import session, spec_option
from bicoastal.operate.rejoin import Rejoin, survivor
from bicoastal.operate.transitions import Operation, Step

PREDICTED = {
    Step.SHUT_OTHER: "1 s",
    Step.FENCE: "5 s-5 min",
    Step.LIST_WRITES: "10 s",
    Step.BUILD: "15-60 min",
    Step.AWAIT_STREAMING: "minutes",
    Step.REFRESH_FLEETS: "10-30 min",
    Step.REOPEN_OTHER: "1 s",
    Step.MOVE_NAMES: "2-4 min",
    Step.SWITCH_OFF: "1 min",
    Step.RESTORE_TAGS: "10 s",
}
"""On AWS: a Multi-AZ instance of some size, two batches of servers in each region, three probes of each check."""


@click.command("rejoin")
@spec_option
@click.option("--without-list", is_flag=True,
              help="Go on though nobody can say which rows the former primary alone has.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Say what would be done, and change nothing.")
@click.pass_context
def command(context: click.Context, spec: Path, *, without_list: bool, dry_run: bool) -> None:
    """Build the next generation in the region that is not the primary's, and bring both into their steady state.

    The former primary is fenced first and kept for inspection; rows that it acknowledged and the survivor never got
    are written to a file. Killed at any point, the same command goes on.
    """
    tell = telling()
    subject = subject_of(spec)
    calls = session("rejoin", subject.prefix)
    region = survivor(calls, subject)
    journal = journal_of(calls, subject, region, Operation.REJOIN)
    rejoin = Rejoin(calls, subject, region=region, journal=journal, tell=tell, without_list=without_list)
    if dry_run:
        state = rejoin.plan()
        click.echo(f"The primary is in {region}; {subject.other(region)} is {state}. It would:")
        context.exit(print_plan(Operation.REJOIN, state, (), PREDICTED))
    other = subject.other(region)
    with alone(journal, f"rejoin of {other}", other_place(calls, subject, other)) as rejoin.lock:
        report = rejoin.run()
    print_end(
        report,
        journal,
        f"{subject.other(region)} follows {region} again, in epoch {report.epoch}, after {report.seconds:.1f} s: "
        "either region can be lost.",
    )
