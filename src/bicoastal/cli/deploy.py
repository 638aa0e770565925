"""`bicoastal deploy`: create or change every stack in both regions."""

from __future__ import annotations

import threading
from pathlib import Path

import click

from bicoastal.aws.trust_store import database_certificates
from bicoastal.cli.package import allow_option, folder_argument, new_image_option, package, session, spec_option
from bicoastal.cli.progress import INTERRUPTED, Progress, interrupted
from bicoastal.core.errors import BicoastalError
from bicoastal.deploy.deployment import Result, Wishes, deploy
from bicoastal.deploy.moments import End


@click.command("deploy")
@folder_argument
@spec_option
@allow_option
@new_image_option
@click.option(
    "--database-ca",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="BICOASTAL_DATABASE_CA",
    show_envvar=True,
    help="Certificates (PEM) that sign the database's; by default those that AWS publishes for RDS.",
)
@click.pass_context
def command(
    context: click.Context,
    folder: Path | None,
    spec: Path,
    *,
    allowed: tuple[str, ...],
    new_image: bool,
    database_ca: Path | None,
) -> None:
    """Create or change every stack in both regions, each as soon as what it needs is there.

    DEPLOYMENT is a folder that `synth` wrote; without one, what the spec says. Roles and switches that operations have
    set are kept. Ended or killed at any point, the same command carries on. Nothing stateful is replaced or removed
    without --allow-replacement.
    """
    what = package(spec, folder, database_certificates(database_ca))
    calls = session("deploy", what.name)
    stop = threading.Event()
    result: Result | None = None
    with Progress() as progress:
        try:
            result = deploy(calls, what, Wishes(allowed, new_image), progress, stop)
        except KeyboardInterrupt:
            stop.set()
            running = progress.running
    if result is None:
        click.echo(interrupted(running), err=True)
        context.exit(INTERRUPTED)
    assert result is not None  # noqa: S101 - exit does not return, which its type does not say
    for line, color in ending(result):
        click.secho(line, fg=color or None)
    if calls.log.file is not None:
        click.echo(f"{len(calls.log.calls)} calls to AWS are logged in {calls.log.file}")
    context.exit(result.exit_code)


def ending(result: Result) -> list[tuple[str, str]]:
    """How it went, in lines with their colors."""
    lines: list[tuple[str, str]] = []
    if result.unchanged:
        return [(f"Nothing to change: all {len(result.stacks)} stacks are as they should be.", "green")]
    for outcome in result.outcomes.values():
        if isinstance(outcome.error, BicoastalError):
            lines += [(line, "red") for line in str(outcome.error).splitlines()]
    for broken in dict.fromkeys(outcome.because for outcome in result.outcomes.values() if outcome.because):
        skipped = ", ".join(name for name, outcome in result.outcomes.items() if outcome.because == broken)
        lines.append((f"Skipped, because they need {broken}: {skipped}.", "yellow"))
    ends = [outcome.end for outcome in result.outcomes.values()]
    told = ", ".join(f"{ends.count(end)} {end}" for end in End if end in ends)
    return [*lines, (f"{told}.", "green" if result.exit_code == 0 else "")]
