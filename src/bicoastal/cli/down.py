"""`bicoastal down`: end the twin, or what a crash left of it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import time
from pathlib import Path

import click

from bicoastal.cli.home import chosen, home_option
from bicoastal.core.errors import SystemFault
from bicoastal.twin.home import Home
from bicoastal.twin.processes import end_leftovers

DEADLINE_S = 60.0
_LOOK_S = 0.05


@click.command("down")
@home_option
@click.option("--forget", is_flag=True, help="Remove its folder too: databases, buckets, stacks, logs.")
def command(folder: Path | None, *, forget: bool) -> None:
    """End the twin, and every process that a killed one left. Its data stays, and the next `up` goes on with it."""
    home = chosen(folder)
    ended = _end(home)
    left = _leftovers(home) if home.root.is_dir() else []
    if ended:
        click.echo(f"The twin in {home.root} has ended.")
    if left:
        click.echo(f"Ended what an earlier twin had left: {', '.join(left)}.")
    if not ended and not left:
        click.echo(f"No twin runs in {home.root}.")
    if forget and home.root.is_dir():
        with home:
            # Held while it goes: a twin that begins meanwhile would lose its ground.
            shutil.rmtree(home.root)
        click.echo(f"Removed {home.root}.")


def _end(home: Home) -> bool:
    """Ask the owner to end, and see it gone. Raises SystemFault when it does not."""
    owner = home.owner()
    if owner is None:
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(owner, signal.SIGTERM)
    end = time.monotonic() + DEADLINE_S
    while home.owner() == owner:
        if time.monotonic() > end:
            raise SystemFault(
                f"The twin in {home.root} (process {owner}) has not ended after {DEADLINE_S:.0f} s.\n"
                f"    -> kill -9 {owner}, then run `bicoastal down` again: it ends what is left."
            )
        time.sleep(_LOOK_S)
    return True


def _leftovers(home: Home) -> list[str]:
    with home:
        return [leftover.name for leftover in end_leftovers(home)]
