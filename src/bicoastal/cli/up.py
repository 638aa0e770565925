"""`bicoastal up`: both regions on this machine, from the file in this folder, until Ctrl-C."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from bicoastal.aws.calls import CallLog
from bicoastal.aws.session import Session
from bicoastal.cli.build_cache import cache_folder, cached
from bicoastal.cli.deploy import ending
from bicoastal.cli.home import chosen, home_option
from bicoastal.cli.live import Live
from bicoastal.cli.operating import subject_from
from bicoastal.cli.package import package
from bicoastal.cli.progress import Progress
from bicoastal.cli.status import addresses
from bicoastal.core.errors import Refused, SystemFault
from bicoastal.deploy.moments import Moment, Noted, Watched
from bicoastal.spec.load import load
from bicoastal.spec.starter import SPEC_FILE, write_starter
from bicoastal.twin.addresses import DNS, reachable_port
from bicoastal.twin.announcement import Announcement, running
from bicoastal.twin.cloud.administrator import make_administrator
from bicoastal.twin.home import Home
from bicoastal.twin.memory import few_arenas, give_back
from bicoastal.twin.pace import FAST, REAL, Pace

if TYPE_CHECKING:
    from bicoastal.spec.model import Spec
    from bicoastal.twin.twin import Twin

PAGE_S = 60.0
"""How long the first page of each region may take once everything is deployed."""
SILENT_S = 600.0
"""What starts in the background and says nothing for so long is given up, unless it watches a change."""
TROUBLE_S = 8.0
"""What heals within it is not worth a word."""
_PAGE_TIMEOUT_S = 5.0
_LOOK_S = 0.05
_TOLD_S = 1.0


@click.command("up")
@click.option(
    "-s", "--spec", type=click.Path(path_type=Path), help=f"The file to run; {SPEC_FILE}, or the sample without one."
)
@home_option
@click.option("--pace", type=click.Choice([REAL.name, FAST.name]), default=REAL.name, show_default=True,
              help=f"`fast` divides every interval, timer and TTL by {FAST.factor:g}.")  # fmt: skip
@click.option("--port", type=click.IntRange(0, 65535), default=8443, show_default=True, help="Of the pages; 0: any.")
@click.option("--console/--no-console", default=True, show_default=True, help="Show it in a browser, too.")
@click.option("--reports", type=click.Path(path_type=Path, file_okay=False),
              help="The folder of drills' reports that the console opens; by default in the twin's.")  # fmt: skip
@click.option("--detach", is_flag=True, help="Return when it is up, and leave it running; `bicoastal down` ends it.")
@click.pass_context
def command(
    context: click.Context, spec: Path | None, folder: Path | None, pace: str, port: int, *,
    console: bool, reports: Path | None, detach: bool,
) -> None:  # fmt: skip
    """Run both regions here: databases, load balancers, servers, DNS, behind AWS's own API.

    Everything is deployed by the same change sets as on AWS. What was there before goes on: databases keep their rows.
    """
    home = chosen(folder)
    file = _spec_file(home, spec)
    wanted = load(file)
    reports = (reports or home.root / "reports").absolute() if console else None
    if detach:
        context.exit(_detached(home, file, pace, port, reports))
    context.exit(_Up(home, file, wanted, Pace.named(pace), port, reports).run())


class _Up:
    """One run in the foreground."""

    def __init__(  # noqa: PLR0917 - as many as there are options
        self, home: Home, file: Path, spec: Spec, pace: Pace, port: int, reports: Path | None
    ) -> None:
        """With no folder for reports there is no console."""
        self._home = home
        self._file = file
        self._spec = spec
        self._pace = pace
        self._port = port
        self._reports = reports
        self._begun = time.monotonic()
        self._watched_until = 0.0
        self._stop = threading.Event()
        self._said = Announcement(os.getpid(), "starting", pace.name, str(file), domain=spec.domain.name)

    def run(self) -> int:
        """Everything, until a signal; returns the exit code."""
        from bicoastal.twin.twin import Twin  # noqa: PLC0415 - the files are read first: a mistake is said at once

        few_arenas()
        twin = Twin(self._home.root, tuple(self._spec.regions), self._pace, self._port)
        with _ended_by_signals(self._stop):
            twin.start()
            try:
                return self._with(twin)
            except KeyboardInterrupt:
                return 0
            finally:
                self._tell(twin, phase="stopping")
                click.echo("\nEnding; data stays for the next `bicoastal up`.", err=True)
                twin.stop()

    def _with(self, twin: Twin) -> int:
        for leftover in twin.leftovers:
            click.echo(f"Ended {leftover.name} (process {leftover.pid}), which an earlier twin had left.", err=True)
        self._tell(twin, phase="deploying")
        with self._told(twin):
            problem = self._deploy(twin) or self._pages(twin)
        give_back()
        if problem:
            click.secho(problem, fg="red", err=True)
            click.echo(f"The rest runs on, to be looked at: `bicoastal status`, `bicoastal logs`.{self._home_hint()}")
        else:
            click.secho(f"Both regions are up after {time.monotonic() - self._begun:.1f} s.", fg="green")
        with self._console(twin) as console, Live() as live:
            self._tell(twin, console=console)
            for line in addresses(self._said, self._home):
                click.echo(line)
            click.echo("`bicoastal down` ends it; in the foreground, Ctrl-C does.")
            # Whoever waits for this phase has read the lines above.
            self._tell(twin, phase="up" if not problem else "not deployed")
            while not self._stop.wait(_TOLD_S):
                self._tell(twin)
                live.show(self._said)
        return 0

    @contextlib.contextmanager
    def _told(self, twin: Twin) -> Iterator[None]:
        """While something waits for the twin it is told how that is, and what keeps it is said.

        Each trouble once, when trying again has not helped.
        """
        over = threading.Event()

        def tell() -> None:
            told: set[tuple[str, str]] = set()
            while not over.wait(_TOLD_S):
                self._tell(twin)
                for status in twin.status:
                    for trouble in status.troubles:
                        line = f"{status.name} {trouble.key}: {trouble.error}"
                        if trouble.last - trouble.since > TROUBLE_S and (status.name, trouble.key) not in told:
                            told.add((status.name, trouble.key))
                            click.secho(f"{line} ({trouble.failures} times)", fg="yellow", err=True)

        teller = threading.Thread(target=tell, daemon=True)
        teller.start()
        try:
            yield
        finally:
            over.set()
            teller.join()

    @contextlib.contextmanager
    def _console(self, twin: Twin) -> Iterator[str]:
        """The console's origin while it serves; empty where it is not wanted."""
        if self._reports is None:
            yield ""
            return
        from bicoastal.cli.watched import twin_console  # noqa: PLC0415 - only who wants one pays for it

        try:
            console = twin_console(self._home, self._file, subject_from(self._spec), twin, self._reports)
        except SystemFault as fault:
            click.secho(f"There is no console: {fault}", fg="yellow", err=True)
            yield ""
            return
        with console:
            console.prepare()
            yield console.key.origin

    def _deploy(self, twin: Twin) -> str:
        """By the AWS API, like anybody; returns what went wrong, or nothing."""
        from bicoastal.deploy.deployment import Wishes, deploy  # noqa: PLC0415

        certificates = twin.ground.authority.certificate.read_bytes()
        what = package(self._file, None, certificates, cached(cache_folder()))
        endpoint = make_administrator(twin.endpoint, self._home.cloud)
        log = CallLog(self._home.root / "deploy-calls.jsonl", most=0)
        session = Session.at(endpoint.url, endpoint.access_key_id, endpoint.secret_access_key, log=log)
        try:
            with Progress() as progress:
                result = deploy(session, what, Wishes(), self._following(progress), self._stop)
        except Refused as refusal:
            return str(refusal)
        if result.stopped:
            raise KeyboardInterrupt
        lines = ending(result)
        if result.exit_code:
            return "\n".join(line for line, _ in lines)
        for line, color in lines:
            click.secho(line, fg=color or None)
        return ""

    def _following(self, progress: Callable[[Moment], None]) -> Callable[[Moment], None]:
        """Who waits for this twin learns that a change is watched, and what that means here."""

        def follow(moment: Moment) -> None:
            progress(moment)
            if isinstance(moment, Watched):
                seconds = self._pace.seconds(60.0 * moment.minutes)
                self._watched_until = time.time() + seconds
                text = f"as on AWS, {seconds:.0f} s at this pace, with users served (`watch_minutes: 0` turns it off)"
                progress(Noted(moment.id, text))

        return follow

    def _pages(self, twin: Twin) -> str:
        """Wait for the first page of each region, as its users get it."""
        end = time.monotonic() + PAGE_S
        certificate = twin.ground.authority.certificate
        for region in twin.ground.regions:
            url = twin.front_door.url(region)
            while (seen := _look(url, certificate)) is not None:
                if self._stop.is_set():
                    raise KeyboardInterrupt
                if time.monotonic() > end:
                    return f"{url} does not serve after {PAGE_S:.0f} s: {seen}."
                time.sleep(_LOOK_S)
        return ""

    def _tell(self, twin: Twin, **changed: Any) -> None:
        ground = twin.ground
        rooms = [str(status) for status in twin.status]
        troubles = [
            f"{status.name} {trouble.key}: {trouble.error.splitlines()[0]}"
            for status in twin.status
            for trouble in status.troubles
        ]
        self._said = replace(
            self._said,
            pages={region: twin.front_door.url(region) for region in ground.regions},
            endpoint=twin.endpoint.url,
            resolver=f"{ground.addresses.resolver}:{reachable_port(DNS)}",
            users={region: str(ground.addresses.users(region)[1]) for region in ground.regions},
            certificate=str(ground.authority.certificate),
            rooms=rooms,
            troubles=troubles,
            watched_until=self._watched_until,
            **changed,
        )
        with contextlib.suppress(OSError):
            # A full disk must not end what runs.
            self._said.write(self._home)

    def _home_hint(self) -> str:
        return f" Its folder is {self._home.root}."


def _look(url: str, certificate: Path) -> str | None:
    """One look at a page, as a browser that comes to 127.0.0.1; None where it is served, else what was seen."""
    where = urlsplit(url)
    context = ssl.create_default_context(cafile=str(certificate))
    try:
        with (
            socket.create_connection(("127.0.0.1", where.port or 443), timeout=_PAGE_TIMEOUT_S) as plain,
            context.wrap_socket(plain, server_hostname=where.hostname) as door,
        ):
            door.sendall(f"GET / HTTP/1.1\r\nHost: {where.netloc}\r\nConnection: close\r\n\r\n".encode())
            said = door.recv(4096).split(b"\r\n", 1)[0].decode("latin-1")
    except OSError as error:
        return str(error) or type(error).__name__
    return None if " 200" in said or " 30" in said else said or "nothing"


def _spec_file(home: Home, given: Path | None) -> Path:
    """What to run: as named, or as it lies here, or the sample."""
    if given is not None or Path(SPEC_FILE).exists():
        return (given or Path(SPEC_FILE)).absolute()
    sample = home.root / "sample"
    if not (sample / SPEC_FILE).exists():
        write_starter(sample)
    click.echo(f"There is no {SPEC_FILE} here: this is the sample, in {sample}. `bicoastal init` writes one for you.")
    return sample / SPEC_FILE


@contextlib.contextmanager
def _ended_by_signals(stop: threading.Event) -> Iterator[None]:
    """SIGINT and SIGTERM ask it to end; a second one interrupts whatever is awaited."""

    def ask(number: int, _: object) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        del number
        stop.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _detached(home: Home, file: Path, pace: str, port: int, reports: Path | None) -> int:
    """Start it in the background and wait until it is up; returns the exit code."""
    if running(home) is not None:
        raise SystemFault(
            f"{home.root}: a twin already runs here.\n    -> `bicoastal down` ends it; --home starts another one."
        )
    log = home.log("up")
    command = [sys.executable, "-m", "bicoastal.cli", "up", *("--spec", str(file)), *("--home", str(home.root))]
    console = ("--no-console",) if reports is None else ("--reports", str(reports))
    # What `up` prints opens the console: it is for who started it alone.
    with os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as output:
        os.fchmod(output.fileno(), 0o600)
        child = subprocess.Popen(
            [*command, "--pace", pace, "--port", str(port), *console],
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
    position, heard = 0, time.time()
    while True:
        before, position = position, _echo(log, position)
        code = child.poll()
        if code is not None:
            _echo(log, position)
            return code or 3
        found = running(home)
        if found is not None and found.pid == child.pid and found.phase in ("up", "not deployed"):
            _echo(log, position)
            return 0 if found.phase == "up" else 1
        now = time.time()
        heard = last_sign(heard, found, now=now, spoke=position > before)
        if now > heard + SILENT_S:
            raise SystemFault(
                f"The twin is not up, and has said nothing for {SILENT_S:.0f} s.\n"
                f"    -> See {log}; `bicoastal down` ends it."
            )
        time.sleep(_LOOK_S)


def last_sign(heard: float, found: Announcement | None, *, now: float, spoke: bool) -> float:
    """When a twin that starts was last known to be well: it spoke, or a change is watched, until then in silence."""
    return max(heard, now if spoke else heard, found.watched_until if found is not None else heard)


def _echo(log: Path, position: int) -> int:
    """Print what has been written since."""
    with log.open("rb") as file:
        file.seek(position)
        data = file.read()
    sys.stderr.buffer.write(data)
    sys.stderr.buffer.flush()
    return position + len(data)
