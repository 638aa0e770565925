"""`bicoastal logs`: what the twin's programs have said."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import click

from bicoastal.cli.home import chosen, home_option
from bicoastal.core.errors import Refused
from bicoastal.twin.home import Home

_LOOK_S = 0.2


@click.command("logs")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@home_option
@click.option("-n", "--lines", type=click.IntRange(min=0), default=20, show_default=True, help="Of each log.")
@click.option("-f", "--follow", is_flag=True, help="Go on with what is said from now on, until Ctrl-C.")
def command(names: tuple[str, ...], folder: Path | None, *, lines: int, follow: bool) -> None:
    """Print the end of the logs whose name contains each NAME; without one, list them.

    A name is a path: `databases/us-east-1/...`, `instances/us-west-2/i-.../application`, `balancers/...`.
    """
    home = chosen(folder)
    found = _logs(home)
    if not names:
        for name, path in found.items():
            click.echo(f"{path.stat().st_size:>10,}  {name}")
        return
    chosen_logs = {name: path for name, path in found.items() if all(word in name for word in names)}
    if not chosen_logs:
        raise Refused(
            f"No log in {home.root} has {' and '.join(names)} in its name.\n    -> `bicoastal logs` lists them."
        )
    for name, path in chosen_logs.items():
        for line in _tail(path, lines):
            _say(name, line, alone=len(chosen_logs) == 1)
    if follow:
        _follow(chosen_logs)


def _logs(home: Home) -> dict[str, Path]:
    """Name to file: the programs' own, and what an instance's units have written."""
    found = {}
    for path in sorted((home.root / "logs").rglob("*.log")):
        found[path.relative_to(home.root / "logs").with_suffix("").as_posix()] = path
    for path in sorted((home.root / "instances").glob("*/*/**/log/*.log")):
        region, instance = path.relative_to(home.root / "instances").parts[:2]
        found[f"instances/{region}/{instance}/{path.stem}"] = path
    cloud = home.root / "cloud" / "cloud.log"
    if cloud.exists():
        found["cloud"] = cloud
    return found


def _tail(path: Path, lines: int) -> list[str]:
    return path.read_text(errors="replace").splitlines()[-lines:] if lines else []


def _say(name: str, line: str, *, alone: bool) -> None:
    click.echo(line if alone else f"{name}: {line}")


def _follow(logs: dict[str, Path]) -> None:
    readers = {name: _new_lines(path) for name, path in logs.items()}
    try:
        while True:
            for name, reader in readers.items():
                for line in next(reader):
                    _say(name, line, alone=len(logs) == 1)
            time.sleep(_LOOK_S)
    except KeyboardInterrupt:
        return


def _new_lines(path: Path) -> Iterator[list[str]]:
    """Whole lines that came since the last look; a file that was made anew is read from its beginning."""
    position, rest = path.stat().st_size, ""
    while True:
        try:
            size = path.stat().st_size
            with path.open(errors="replace") as file:
                file.seek(position if size >= position else 0)
                rest += file.read()
                position = file.tell()
        except OSError:
            yield []
            continue
        *whole, rest = rest.split("\n")
        yield whole
