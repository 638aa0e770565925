"""`bicoastal init`: write a first bicoastal.yaml and the sample application."""

from __future__ import annotations

from pathlib import Path

import click

from bicoastal.spec.starter import write_starter


@click.command("init")
@click.argument("folder", metavar="[DIR]", type=click.Path(path_type=Path), default=Path())
def command(folder: Path) -> None:
    """Write bicoastal.yaml, its schema for editors, and the sample application into DIR (default: this folder).

    DIR is created if it is not there. What exists is never overwritten: then nothing is written, exit code 1.
    """
    written = write_starter(folder)
    spec, schema, *application = written
    click.echo(f"{spec}  what you want; a complete first one, to be edited")
    click.echo(f"{schema}  completes and checks it in your editor")
    click.echo(f"{folder / 'app'}/  the sample application, {len(application)} files")
    where = "" if folder == Path() else f" --spec {spec}"
    click.echo(f"Next: bicoastal synth{where}")
