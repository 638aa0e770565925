"""`bicoastal status`: what the twin is doing."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from bicoastal.cli.home import chosen, home_option, running_twin
from bicoastal.twin.announcement import Announcement


@click.command("status")
@home_option
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(folder: Path | None, form: str) -> None:
    """Show the running twin: its addresses, and what each of its parts is doing. Ends with 1 where none runs."""
    twin = running_twin(chosen(folder))
    if form == "json":
        click.echo(json.dumps(asdict(twin), indent=2))
        return
    color = "green" if twin.phase == "up" and not twin.troubles else "yellow"
    click.secho(f"{twin.phase} (process {twin.pid}, pace {twin.pace}), from {twin.spec}", fg=color)
    for line in addresses(twin):
        click.echo(line)
    for line in twin.rooms:
        click.echo(f"  {line}")
    for line in twin.troubles:
        click.secho(f"  {line}", fg="yellow")


def addresses(twin: Announcement) -> list[str]:
    """Where everything is, and what to try: a line each."""
    lines = [f"  {region:<12} {url}" for region, url in twin.pages.items()]
    host, _, port = twin.resolver.rpartition(":")
    for region, address in twin.users.items():
        lines.append(f"  {'':<12} dig -b {address} @{host} -p {port} {twin.domain}    # as a user near {region}")
    lines.append(f'  {"AWS API":<12} {twin.endpoint}    eval "$(bicoastal env)"')
    lines.append(f"  {'certificate':<12} {twin.certificate}    signs every page and database: curl --cacert")
    return lines
