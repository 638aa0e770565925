"""`bicoastal destroy`: take every stack away in both regions."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import click

from bicoastal.cli.package import composed, folder_argument, session, spec_option
from bicoastal.cli.progress import INTERRUPTED, Progress, interrupted
from bicoastal.core.errors import BicoastalError, Refused
from bicoastal.deploy.graph import Outcome
from bicoastal.deploy.moments import End
from bicoastal.deploy.removal import Removal, destroy, prepare


@click.command("destroy")
@folder_argument
@spec_option
@click.option("--yes", metavar="NAME", help="The application's name, so that nothing is asked.")
@click.pass_context
def command(context: click.Context, folder: Path | None, spec: Path, yes: str | None) -> None:
    """Delete every stack in both regions, in the reverse order, once the application's name is typed.

    Deletion protection is lifted only after that. What templates retain stays and is listed: keys, buckets, vaults,
    logs, the hosted zone, a last snapshot of the database.
    """
    what = composed(spec, folder)
    calls = session("destroy", what.name)
    removal = prepare(calls, what)
    if removal.problems:
        raise Refused("\n".join(str(problem) for problem in removal.problems) + "\nNothing was deleted.")
    if not removal.stacks:
        click.echo(f"Nothing to delete: there is no stack of {what.name}.")
        return
    for line in describe(removal):
        click.echo(line)
    _confirm(what.manifest.application, yes)
    stop, outcomes = threading.Event(), {}
    with Progress() as progress:
        try:
            outcomes = destroy(calls, what, removal, progress, stop)
        except KeyboardInterrupt:
            stop.set()
            running = progress.running
    if stop.is_set():
        click.echo(interrupted(running), err=True)
        context.exit(INTERRUPTED)
    context.exit(_end(outcomes))


def describe(removal: Removal) -> list[str]:
    """What goes and what stays, before anybody is asked."""
    lines = ["These stacks are deleted, with everything in them that is not listed below:"]
    lines += [f"    {name}  ({stack.name}, {stack.status})" for name, stack in removal.stacks.items()]
    if removal.kept:
        lines.append("This stays:")
        lines += [f"    {item.stack}  {item.type} {item.physical_id}: {item.why}" for item in removal.kept]
    return lines


def _confirm(application: str, yes: str | None) -> None:
    if yes is None:
        if not sys.stdin.isatty():
            raise Refused(f"Nobody can be asked here.\n    -> To delete it, give its name: --yes {application}")
        yes = click.prompt(f"To delete all this, type the application's name ({application})", default="")
    if yes != application:
        raise Refused(f"{yes!r} is not the application's name, {application!r}. Nothing was deleted.")


def _end(outcomes: dict[str, Outcome]) -> int:
    faults = [outcome.error for outcome in outcomes.values() if isinstance(outcome.error, BicoastalError)]
    for fault in faults:
        click.secho(str(fault), fg="red")
    for name, outcome in outcomes.items():
        if outcome.end is End.SKIPPED:
            click.secho(f"{name}: left, because {outcome.because} could not be deleted", fg="yellow")
    gone = sum(outcome.end in (End.DONE, End.UNCHANGED) for outcome in outcomes.values())
    click.echo(f"{gone} of {len(outcomes)} stacks are deleted.")
    return max((fault.exit_code for fault in faults), default=0)
