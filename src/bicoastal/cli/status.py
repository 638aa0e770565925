"""`bicoastal status`: what the twin is doing, and how every stack of the deployment stands."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from bicoastal.aws.session import Session
from bicoastal.cfn.manifest import StackEntry
from bicoastal.cli.home import chosen, home_option
from bicoastal.cli.package import composed, session
from bicoastal.core.errors import Refused
from bicoastal.deploy.package import Package
from bicoastal.deploy.survey import Views, look
from bicoastal.spec.starter import SPEC_FILE
from bicoastal.stacks.drift import Drift, detect
from bicoastal.twin.announcement import Announcement, running
from bicoastal.twin.cloud.process import Endpoint
from bicoastal.twin.home import Home

_AT_ONCE = 8


@click.command("status")
@click.option("-s", "--spec", type=click.Path(path_type=Path), help=f"What is deployed; the twin's, or {SPEC_FILE}.")
@home_option
@click.option("--drift", is_flag=True, help="Have CloudFormation compare every resource with its template.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.pass_context
def command(context: click.Context, spec: Path | None, folder: Path | None, *, drift: bool, form: str) -> None:
    """Show the twin that runs here, and how every stack stands.

    Stacks are those of the twin while one runs and AWS_ENDPOINT_URL does not say otherwise, else those of AWS. Ends
    with 1 where something is not as it should be.
    """
    home = chosen(folder)
    twin = running(home)
    what = _deployed(spec, twin)
    if what is None and twin is None:
        raise Refused(
            f"No twin runs in {home.root}, and there is no {SPEC_FILE} here.\n"
            "    -> `bicoastal up` starts one; or name what is deployed with --spec."
        )
    views: Views = {}
    drifts: dict[str, Drift] = {}
    if what is not None:
        calls = _session(home, twin, what)
        views = look(calls, what.manifest.stacks)
        drifts = _drifts(calls, views) if drift else {}
    if form == "json":
        click.echo(json.dumps(_as_json(twin, what, views, drifts), indent=2))
    else:
        _print(twin, what, views, drifts)
    good = all(view is not None and view.good for view in views.values()) and not any(
        found.resources for found in drifts.values()
    )
    context.exit(0 if good and (twin is None or twin.phase == "up") else 1)


def _deployed(spec: Path | None, twin: Announcement | None) -> Package | None:
    file = spec or (Path(twin.spec) if twin is not None else Path(SPEC_FILE))
    return composed(file, None) if spec is not None or file.exists() else None


def _session(home: Home, twin: Announcement | None, what: Package) -> Session:
    if twin is None or os.environ.get("AWS_ENDPOINT_URL"):
        return session("status", what.name)
    endpoint = Endpoint.read(home.cloud)
    return Session.at(endpoint.url, endpoint.access_key_id, endpoint.secret_access_key)


def _drifts(calls: Session, views: Views) -> dict[str, Drift]:
    standing = {name: view for name, view in views.items() if view is not None and view.exists}
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = pool.map(lambda view: detect(calls, view), standing.values())
        return dict(zip(standing, found, strict=True))


def _as_json(twin: Announcement | None, what: Package | None, views: Views, drifts: dict[str, Drift]) -> Any:
    entries: tuple[StackEntry, ...] = what.manifest.stacks if what is not None else ()
    return {
        "twin": asdict(twin) if twin is not None else None,
        "stacks": [
            {
                "id": entry.id,
                "region": entry.region,
                "name": entry.name,
                "status": view.status if (view := views.get(entry.id)) is not None else None,
                "drift": asdict(drifts[entry.id]) if entry.id in drifts else None,
            }
            for entry in entries
        ],
    }


def _print(twin: Announcement | None, what: Package | None, views: Views, drifts: dict[str, Drift]) -> None:
    if twin is not None:
        color = "green" if twin.phase == "up" and not twin.troubles else "yellow"
        click.secho(f"Twin: {twin.phase} (process {twin.pid}, pace {twin.pace}), from {twin.spec}", fg=color)
        for line in addresses(twin):
            click.echo(line)
        for line in twin.rooms:
            click.echo(f"  {line}")
        for line in twin.troubles:
            click.secho(f"  {line}", fg="yellow")
    if what is not None:
        click.echo(f"Stacks of {what.name}:")
        for name, view in views.items():
            status = view.status if view is not None else "not there"
            click.secho(f"  {name:<24} {status}", fg=None if view is not None and view.good else "yellow")
            _print_drift(drifts.get(name))
    if drifts and not any(found.resources for found in drifts.values()):
        click.secho("No drift: every resource that CloudFormation can compare is as its template says.", fg="green")


def _print_drift(drift: Drift | None) -> None:
    if drift is None:
        return
    for resource in drift.resources:
        click.secho(f"    drifted: {resource}", fg="red")
    if drift.unknown:
        click.secho(f"    unknown: {drift.unknown}", fg="yellow")


def addresses(twin: Announcement) -> list[str]:
    """Where everything is, and what to try: a line each."""
    lines = [f"  {region:<12} {url}" for region, url in twin.pages.items()]
    host, _, port = twin.resolver.rpartition(":")
    for region, address in twin.users.items():
        lines.append(f"  {'':<12} dig -b {address} @{host} -p {port} {twin.domain}    # as a user near {region}")
    lines.append(f'  {"AWS API":<12} {twin.endpoint}    eval "$(bicoastal env)"')
    lines.append(f"  {'certificate':<12} {twin.certificate}    signs every page and database: curl --cacert")
    return lines
