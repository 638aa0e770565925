"""`bicoastal console`: watch a deployment in a browser, on AWS or wherever AWS_* points."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import click

from bicoastal.aws.calls import CallLog
from bicoastal.aws.session import Session
from bicoastal.cli.operating import subject_of
from bicoastal.cli.package import spec_option
from bicoastal.core.errors import SystemFault


@click.command("console")
@spec_option
@click.option("--port", type=click.IntRange(0, 65535), help="On 127.0.0.1; by default the one of the last time.")
@click.option(
    "--reports",
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder of drills' reports; by default one in the user's folder for state.",
)
def command(spec: Path, port: int | None, reports: Path | None) -> None:
    """Show both coasts in a browser, as they are now: names, balancers, servers, databases, checks, alarms, figures.

    It watches what AWS_* points to, for as long as a page is open, and changes nothing: failover and switchover alone
    can be started, by typing the deployment's name. It answers this machine alone, to who has the token in the address
    that is printed. `bicoastal up` has one of its own for the twin. Ctrl-C ends it.
    """
    subject = subject_of(spec)
    try:
        from bicoastal.console.made import READ_S, Deployment, console  # noqa: PLC0415 - the file is read first
    except ModuleNotFoundError as error:
        raise SystemFault(
            f"the console needs {error.name}, which is not installed.\n    -> pip install 'bicoastal[twin]'"
        ) from error
    from bicoastal.operate.watch.watcher import Rhythm  # noqa: PLC0415
    from bicoastal.twin.memory import pass_over  # noqa: PLC0415

    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    folder = state / "bicoastal" / subject.prefix
    # Polled for hours: a file of every call would tell nothing and grow.
    session = Session(CallLog(most=0), attempts=1, read_timeout_s=READ_S)
    watched = Deployment(subject, spec.absolute(), session, dict(os.environ), state)
    made = console(
        watched, Rhythm(), keep=folder / "console.json", reports=(reports or folder / "reports").absolute(), port=port
    )
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with made:
        made.prepare()
        # It lives for hours, unlike other commands, which collect seldom.
        pass_over()
        click.echo(f"{subject.prefix} is at {made.key.url}")
        click.echo("Ctrl-C ends it.")
        stop.wait()
