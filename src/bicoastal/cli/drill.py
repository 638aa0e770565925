"""`bicoastal drill`: rehearse a loss on a twin of its own, and report what it cost."""

from __future__ import annotations

import json
import secrets
import signal
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bicoastal.cli.build_cache import cache_folder, cached
from bicoastal.cli.package import package
from bicoastal.drill.experiments import EXPERIMENTS
from bicoastal.drill.promises import READS_ARE_TRUE
from bicoastal.spec.load import load
from bicoastal.spec.starter import SPEC_FILE, write_starter
from bicoastal.twin.pace import FAST, REAL, Pace

if TYPE_CHECKING:
    from bicoastal.deploy.package import Package
    from bicoastal.drill.experiment import Experiment
    from bicoastal.drill.report import Report
    from bicoastal.drill.stage import Script

LIST, ALL = "list", "all"


@click.command("drill")
@click.argument("name", type=click.Choice([LIST, ALL, *EXPERIMENTS]), metavar="list | all | NAME")
@click.option(
    "-s", "--spec", type=click.Path(path_type=Path, dir_okay=False), help=f"What to deploy; {SPEC_FILE}, or the sample."
)
@click.option("--pace", type=click.Choice([REAL.name, FAST.name]), default=FAST.name, show_default=True,
              help=f"`fast` divides every interval, timer and TTL by {FAST.factor:g}.")  # fmt: skip
@click.option("--seed", type=int, help="Of what users do; by default another one each time, named in the report.")
@click.option("--stay", is_flag=True, help="End when it is known what was lost: no rejoin, no switchover home.")
@click.option("--format", "form", type=click.Choice(["text", "json", "html"]), default="text", show_default=True)
@click.option(
    "-o",
    "output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the report there; text is printed all the same.",
)
@click.pass_context
def command(
    context: click.Context,
    name: str,
    spec: Path | None,
    pace: str,
    *,
    seed: int | None,
    stay: bool,
    form: str,
    output: Path | None,
) -> None:
    """Rehearse a loss on this machine: steady state, fault, operation, recovery, steady state, report.

    Each drill starts both regions in a folder of its own, puts users on both coasts, takes something away, and types
    the commands that you would type. It ends all that it started. The application must answer as the sample does.
    Ends with 0 where every promise held, 1 where one did not.
    """
    if name == LIST:
        context.exit(_list(form))
    chosen = list(EXPERIMENTS) if name == ALL else [name]
    seed = secrets.randbelow(1_000_000) if seed is None else seed
    # As Ctrl-C: all that was started is ended, and its folder removed.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with ExitStack() as stack:
        file = _spec_file(spec, stack)
        played = [EXPERIMENTS[one].staying() if stay else EXPERIMENTS[one] for one in chosen]
        reports = [_run(one, file, Pace.named(pace), seed) for one in played]
    if output is not None:
        output.write_text(_shown(reports, form, whole=name == ALL))
        click.echo(_shown(reports, "text", whole=False), nl=False)
        click.echo(f"The report is in {output}.")
    else:
        click.echo(_shown(reports, form, whole=name == ALL), nl=False)
    context.exit(0 if all(report.held for report in reports) else 1)


def _list(form: str) -> int:
    if form == "json":
        known = [
            {
                "scenario": one.name,
                "title": one.title,
                "then": [promise.text for promise in (*one.then, READS_ARE_TRUE)],
            }
            for one in EXPERIMENTS.values()
        ]
        click.echo(json.dumps({"drills": known}, indent=2))
        return 0
    before: set[str] = set()
    for one in EXPERIMENTS.values():
        click.echo(f"{one.name}: {one.title}")
        parts = {
            "given": [condition.text for condition in one.given],
            "when": [deed.text for deed in one.when],
            "then": [promise.text for promise in (*one.then, READS_ARE_TRUE)],
            "afterwards": [deed.text for deed in one.afterwards],
        }
        for part, sentences in parts.items():
            new = [sentence for sentence in sentences if sentence not in before]
            for index, sentence in enumerate(new):
                click.echo(f"    {'and' if index else part:<11}{sentence}")
            before.update(new)
    click.echo("A sentence that a drill above has, too, is said once.")
    return 0


def _run(experiment: Experiment, file: Path, pace: Pace, seed: int) -> Report:
    from bicoastal.drill.drill import drill  # noqa: PLC0415 - the file is read first: a mistake is said at once

    click.echo(f"{experiment.name}, pace {pace.name}, seed {seed}", err=True)
    return drill(experiment, script_of(file), pace, seed=seed, tell=teller())


def teller() -> Callable[[str], None]:
    """Says what happens and when."""
    begun = time.monotonic()

    def tell(text: str) -> None:
        click.echo(f"{time.monotonic() - begun:7.1f} s  {text}", err=True)

    return tell


def script_of(file: Path) -> Script:
    """What a spec has a drill play. Raises InputError."""
    from bicoastal.drill.stage import Script  # noqa: PLC0415

    spec = load(file)

    def pack(certificates: bytes) -> Package:
        return package(file, None, certificates, cached(cache_folder()))

    name = f"{spec.name}-{spec.environment}"
    return Script(file, name, spec.domain.name, spec.home, spec.standby, spec.database.name, pack)


def _spec_file(given: Path | None, stack: ExitStack) -> Path:
    """As named, or as it lies here, or the sample."""
    if given is not None or Path(SPEC_FILE).exists():
        return (given or Path(SPEC_FILE)).absolute()
    sample = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bicoastal-sample-")))
    write_starter(sample)
    return sample / SPEC_FILE


def _shown(reports: list[Report], form: str, *, whole: bool) -> str:
    from bicoastal.drill.page import as_html  # noqa: PLC0415
    from bicoastal.drill.report import as_data, as_json  # noqa: PLC0415
    from bicoastal.drill.text import as_text  # noqa: PLC0415

    if form == "html":
        return as_html(reports)
    if form == "json":
        return (
            json.dumps({"drills": [as_data(report) for report in reports]}, indent=2) + "\n"
            if whole
            else as_json(reports[0])
        )
    return "\n".join(as_text(report) for report in reports)
