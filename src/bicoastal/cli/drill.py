"""`bicoastal drill`: rehearse a loss on a twin of its own, and report what it cost."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import yaml

from bicoastal.cli.build_cache import HERE, cache_folder, cached
from bicoastal.cli.package import package
from bicoastal.drill.experiments import EXPERIMENTS
from bicoastal.drill.promises import READS_ARE_TRUE
from bicoastal.drill.report import BROKEN, UNPLAYED, Report, Unplayed, verdict
from bicoastal.spec.load import load
from bicoastal.spec.starter import SPEC_FILE, write_starter
from bicoastal.twin.pace import FAST, REAL, Pace

if TYPE_CHECKING:
    from bicoastal.deploy.package import Package
    from bicoastal.drill.drill import ScriptOf
    from bicoastal.drill.experiment import Experiment
    from bicoastal.drill.stage import Script
    from bicoastal.spec.model import Spec

LIST, ALL = "list", "all"
LANES = min(2, os.cpu_count() or 1)
"""Each is worth a core: more would measure how they wait for each other."""


@click.command("drill")
@click.argument("name", type=click.Choice([LIST, ALL, *EXPERIMENTS]), metavar="list | all | NAME")
@click.option(
    "-s", "--spec", type=click.Path(path_type=Path, dir_okay=False), help=f"What to deploy; {SPEC_FILE}, or the sample."
)
@click.option("--pace", type=click.Choice([REAL.name, FAST.name]), default=FAST.name, show_default=True,
              help=f"`fast` divides every interval, timer and TTL by {FAST.factor:g}.")  # fmt: skip
@click.option("--seed", type=int, help="Of what users do; by default another one each time, named in the report.")
@click.option("--lanes", type=click.IntRange(1, 8), default=LANES, show_default=True,
              help="With `all`: how many are played side by side, each on a twin of its own.")  # fmt: skip
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
    lanes: int,
    stay: bool,
    form: str,
    output: Path | None,
) -> None:
    """Rehearse a loss on this machine: steady state, fault, operation, recovery, steady state, report.

    Each drill starts both regions in a folder of its own, puts users on both coasts, takes something away, and types
    the commands that you would type. It ends all that it started. The application must answer as the sample does.
    `all` plays every drill, some side by side, and writes one report. Ends with 0 where every
    promise held, 1 where one did not, 3 where a drill could not be played: the others are played all the same.
    """
    if name == LIST:
        context.exit(_list(form))
    seed = secrets.randbelow(1_000_000) if seed is None else seed
    # As Ctrl-C: all that was started is ended, and its folder removed.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with ExitStack() as stack:
        file = _spec_file(spec, stack)
        if name == ALL:
            ended = _all(file, Pace.named(pace), seed, lanes, stay=stay)
        else:
            chosen = EXPERIMENTS[name].staying() if stay else EXPERIMENTS[name]
            ended = [_run(chosen, partial(_script_for, file, stack), Pace.named(pace), seed)]
    whole = name == ALL
    if output is not None:
        output.write_text(_shown(ended, form, whole=whole))
        click.echo(_shown(ended, "text", whole=whole), nl=False)
        click.echo(f"The report is in {output}.")
    else:
        click.echo(_shown(ended, form, whole=whole), nl=False)
    context.exit(_code(ended))


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


def _run(experiment: Experiment, script_for: ScriptOf, pace: Pace, seed: int) -> Report:
    from bicoastal.drill.drill import drill  # noqa: PLC0415 - the file is read first: a mistake is said at once

    script = script_for(experiment)
    click.echo(f"{experiment.name}, pace {pace.name}, seed {seed}", err=True)
    return drill(experiment, script, pace, seed=seed, tell=teller())


def _all(file: Path, pace: Pace, seed: int, lanes: int, *, stay: bool) -> list[Report | Unplayed]:
    """Side by side; in the order of `drill list`, whatever the one was in which they ended."""
    from bicoastal.drill.lanes import in_order, side_by_side  # noqa: PLC0415 - as above

    # A mistake in the file is said once and at once.
    script_of(file)
    chosen = list(EXPERIMENTS.values())
    click.echo(f"{len(chosen)} drills, {lanes} side by side, pace {pace.name}, seed {seed}", err=True)
    begun = time.monotonic()
    tell = teller(begun)
    play = partial(row, file, pace.name, seed, begun=begun, stay=stay)
    ended: dict[str, Report | Unplayed] = {}
    for one in side_by_side(in_order(chosen), play, lanes):
        ended[one.scenario] = one
        tell(f"[{len(ended)}/{len(chosen)}] {one.scenario}: {verdict(one)}")
    return [ended[one.name] for one in chosen]


def row(
    file: Path,
    pace: str,
    seed: int,
    names: Iterable[str],
    *,
    begun: float | None = None,
    stay: bool = False,
) -> Generator[Report | Unplayed, None, None]:
    """Some of them, one after the other, in a lane's own process; silent where it is not said when all of it began."""
    from bicoastal.drill.drill import several  # noqa: PLC0415 - as above
    from bicoastal.drill.lanes import in_order  # noqa: PLC0415

    known = {one.name: one for one in in_order(list(EXPERIMENTS.values()))}
    chosen = (one.staying() if stay or one.stays_in_a_row else one for one in map(known.__getitem__, names))
    with ExitStack() as stack:
        script_for = partial(_script_for, file, stack)
        tell = _say_nothing if begun is None else teller(begun)
        yield from several(chosen, script_for, Pace.named(pace), seed=seed, tell=tell)


def _code(ended: Sequence[Report | Unplayed]) -> int:
    """3 where one could not be rehearsed, 1 where one broke."""
    held = [verdict(one) for one in ended]
    return 3 if UNPLAYED in held else 1 if BROKEN in held else 0


def _say_nothing(_: str) -> None:
    """Nobody looks on."""


def teller(begun: float | None = None) -> Callable[[str], None]:
    """Says what happens and when: after `begun` by this machine's clock, or after now."""
    begun = time.monotonic() if begun is None else begun

    def tell(text: str) -> None:
        click.echo(f"{time.monotonic() - begun:7.1f} s  {text}", err=True)

    return tell


def script_of(file: Path, asks: Mapping[str, Any] | None = None, folder: Path | None = None) -> Script:
    """What a spec has a drill play, with what an experiment asks for written into a folder. Raises InputError.

    `home` and `standby` below `regions` stand for their names.
    """
    from bicoastal.drill.stage import Script  # noqa: PLC0415

    spec = load(file)
    if asks:
        if folder is None:
            raise ValueError("a spec that is asked for needs a folder")
        file = _asked(spec, file, asks, folder)
        spec = load(file)

    def pack(certificates: bytes) -> Package:
        return package(file, None, certificates, cached(cache_folder()))

    name = f"{spec.name}-{spec.environment}"
    return Script(file, name, spec.domain.name, spec.home, spec.standby, spec.database.name, pack, HERE)


def _script_for(file: Path, stack: ExitStack, experiment: Experiment) -> Script:
    if not experiment.asks:
        return script_of(file)
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=f"bicoastal-{experiment.name}-")))
    return script_of(file, experiment.asks, folder)


def _asked(spec: Spec, file: Path, asks: Mapping[str, Any], folder: Path) -> Path:
    """The spec with its defaults and what is asked, beside a copy of the application."""
    data = spec.model_dump(mode="json", exclude_none=True)
    regions = asks.get("regions", {})
    named = {spec.home if name == "home" else spec.standby: value for name, value in regions.items()}
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(file.parent / spec.app.folder, folder / spec.app.folder, symlinks=True)
    written = folder / SPEC_FILE
    written.write_text(yaml.safe_dump(_over(data, {**asks, **({"regions": named} if named else {})}), sort_keys=False))
    return written


def _over(data: Mapping[str, Any], asked: Mapping[str, Any]) -> dict[str, Any]:
    """A mapping with another laid over it, key by key, however deep."""
    deeper = {
        key: _over(data[key], value) if isinstance(value, Mapping) and isinstance(data.get(key), Mapping) else value
        for key, value in asked.items()
    }
    return {**data, **deeper}


def _spec_file(given: Path | None, stack: ExitStack) -> Path:
    """As named, or as it lies here, or the sample."""
    if given is not None or Path(SPEC_FILE).exists():
        return (given or Path(SPEC_FILE)).absolute()
    sample = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bicoastal-sample-")))
    write_starter(sample)
    return sample / SPEC_FILE


def _shown(ended: Sequence[Report | Unplayed], form: str, *, whole: bool) -> str:
    """`whole`: of all drills, with a table before what broke."""
    from bicoastal.drill.page import as_html  # noqa: PLC0415
    from bicoastal.drill.report import as_json  # noqa: PLC0415
    from bicoastal.drill.row import row_as_json, row_as_text  # noqa: PLC0415
    from bicoastal.drill.text import as_text  # noqa: PLC0415

    if form == "html":
        return as_html(ended)
    if whole:
        return row_as_json(ended) if form == "json" else row_as_text(ended)
    (only,) = ended
    assert isinstance(only, Report)  # noqa: S101 - one alone that cannot be rehearsed ends with its error
    return as_json(only) if form == "json" else as_text(only)
