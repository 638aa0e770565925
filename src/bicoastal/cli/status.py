"""`bicoastal status`: how the deployment stands: roles, protection, stacks; and what the twin is doing."""

from __future__ import annotations

import contextlib
import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import click

from bicoastal.aws.session import Session
from bicoastal.cfn.manifest import StackEntry
from bicoastal.cli.access import armed_data, told_armed
from bicoastal.cli.home import chosen, console_key, home_option
from bicoastal.cli.operating import subject_of
from bicoastal.cli.package import composed, session
from bicoastal.console.key import Key
from bicoastal.core.errors import Refused, SystemFault
from bicoastal.deploy.package import Package
from bicoastal.deploy.survey import Views
from bicoastal.operate import beside
from bicoastal.operate.standing import Region, Standing, stand
from bicoastal.operate.subject import Subject
from bicoastal.spec.starter import SPEC_FILE
from bicoastal.stacks import view as stacks_view
from bicoastal.stacks.drift import Drift, detect
from bicoastal.stacks.view import StackView
from bicoastal.twin.announcement import Announcement, running
from bicoastal.twin.cloud.administrator import administrator
from bicoastal.twin.home import Home

_AT_ONCE = 8


@click.command("status")
@click.option("-s", "--spec", type=click.Path(path_type=Path), help=f"What is deployed; the twin's, or {SPEC_FILE}.")
@home_option
@click.option("--drift", is_flag=True, help="Have CloudFormation compare every resource with its template.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.pass_context
def command(context: click.Context, spec: Path | None, folder: Path | None, *, drift: bool, form: str) -> None:
    """Show which region is the primary, whether it is protected, and how every stack stands; and the twin, if one runs.

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
    standing: Standing | None = None
    if what is not None:
        calls = _session(home, twin, what)
        subject = subject_of(_file(spec, twin))
        views, standing = _look(calls, what, subject)
        drifts = _drifts(calls, views) if drift else {}
    if form == "json":
        click.echo(json.dumps(_as_json(twin, what, views, drifts, standing), indent=2))
    else:
        _print(home, twin, what, views, drifts)
        for line, color in told(standing):
            click.secho(line, fg=color or None)
    unseen = what is not None and len(views) < len(what.manifest.stacks)
    good = (
        not unseen
        and all(view is not None and view.good for view in views.values())
        and not any(found.resources for found in drifts.values())
        and (standing is None or standing.protected)
    )
    context.exit(0 if good and (twin is None or twin.phase == "up") else 1)


def _file(spec: Path | None, twin: Announcement | None) -> Path:
    return spec or (Path(twin.spec) if twin is not None else Path(SPEC_FILE))


def _look(calls: Session, what: Package, subject: Subject) -> tuple[Views, Standing | None]:
    """Stacks and databases at once; a region that does not answer leaves its stacks out, and is told of."""
    found: dict[str, StackView | None] = {}

    def stacks(region: str) -> None:
        # No executor: Python would wait for it in the end, as long as a region that answers nobody is asked again.
        asked = {
            entry.id: partial(stacks_view.view, calls, entry.name, region)
            for entry in what.manifest.stacks
            if entry.region == region
        }
        with contextlib.suppress(SystemFault):
            found.update(beside.together(asked))

    threads = [beside.start(f"stacks of {region}", partial(stacks, region)) for region in subject.regions]
    standing = stand(calls, subject)
    for thread in threads:
        # They are asked as long as the databases: whoever did not answer one question does not answer the other.
        thread.join(0.5)
    views = {entry.id: found[entry.id] for entry in what.manifest.stacks if entry.id in found}
    nothing = all(view is None for view in views.values()) and all(
        region.side.answered for region in standing.regions.values()
    )
    return views, None if nothing else standing


def _deployed(spec: Path | None, twin: Announcement | None) -> Package | None:
    file = _file(spec, twin)
    return composed(file, None) if spec is not None or file.exists() else None


def _session(home: Home, twin: Announcement | None, what: Package) -> Session:
    if twin is None or os.environ.get("AWS_ENDPOINT_URL"):
        return session("status", what.name)
    endpoint = administrator(home.cloud)
    return Session.at(endpoint.url, endpoint.access_key_id, endpoint.secret_access_key)


def _drifts(calls: Session, views: Views) -> dict[str, Drift]:
    standing = {name: view for name, view in views.items() if view is not None and view.exists}
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = pool.map(lambda view: detect(calls, view), standing.values())
        return dict(zip(standing, found, strict=True))


def _as_json(
    twin: Announcement | None,
    what: Package | None,
    views: Views,
    drifts: dict[str, Drift],
    standing: Standing | None,
) -> Any:
    entries: tuple[StackEntry, ...] = what.manifest.stacks if what is not None else ()
    return {
        "twin": asdict(twin) if twin is not None else None,
        "standing": standing_data(standing) if standing is not None else None,
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


def _print(home: Home, twin: Announcement | None, what: Package | None, views: Views, drifts: dict[str, Drift]) -> None:
    if twin is not None:
        color = "green" if twin.phase == "up" and not twin.troubles else "yellow"
        click.secho(f"Twin: {twin.phase} (process {twin.pid}, pace {twin.pace}), from {twin.spec}", fg=color)
        for line in addresses(twin, home):
            click.echo(line)
        for line in twin.rooms:
            click.echo(f"  {line}")
        for line in twin.troubles:
            click.secho(f"  {line}", fg="yellow")
    if what is not None:
        click.echo(f"Stacks of {what.name}:")
        for name in (entry.id for entry in what.manifest.stacks):
            view = views.get(name)
            status = view.status if view is not None else "not there" if name in views else "unknown: no answer"
            click.secho(f"  {name:<24} {status}", fg=None if view is not None and view.good else "yellow")
            _print_drift(drifts.get(name))
    if drifts and not any(found.resources for found in drifts.values()):
        click.secho("No drift: every resource that CloudFormation can compare is as its template says.", fg="green")


def told(standing: Standing | None) -> list[tuple[str, str]]:
    """How the deployment stands, for people: lines and their colors."""
    if standing is None:
        return []
    head = f"Primary: {standing.primary}" if standing.primary else "Primary: not clear"
    lines = [
        (f"{head}, {'protected' if standing.protected else 'UNPROTECTED'}.", "green" if standing.protected else "red")
    ]
    lines += [(f"  {why}", "yellow") for why in standing.why]
    for name, region in standing.regions.items():
        lines.append((f"  {name:<12} {_line(region)}", ""))
        lines += [(f"  {'':<12} emergency access is armed: {told_armed(armed)}", "red") for armed in region.armed or ()]
    if standing.stops:
        lines += [(f"  a failover now would stop at {text}", "yellow") for text in standing.stops]
    elif standing.primary:
        lines.append(("  nothing would stop a failover if the primary were lost now", ""))
    return lines


def _line(region: Region) -> str:
    side, kit = region.side, region.side.kit
    if not side.answered:
        return f"does not answer: {side.why}"
    parts = [kit.role if kit is not None else f"{side.role or 'no database'} by its stack ({side.kit_unknown})"]
    if kit is not None:
        age = "unknown" if kit.heartbeat_age_s is None else f"{kit.heartbeat_age_s:.1f} s old"
        parts += [f"epoch {kit.epoch}", f"heartbeat {age}"]
        parts += [f"fenced: {kit.fence}"] if kit.fence is not None else []
    backup = f"{region.backup_at:%Y-%m-%d %H:%M}" if region.backup_at else (region.backup_unknown or "none yet")
    return ", ".join([*parts, f"gate {side.gate}", f"switch {side.switch or 'unknown'}", f"last backup {backup}"])


def standing_data(standing: Standing) -> dict[str, Any]:
    """The same for machines; what is not known is null."""
    return {
        "primary": standing.primary or None,
        "protected": standing.protected,
        "why": list(standing.why),
        "stops_failover": list(standing.stops),
        "regions": {
            name: {
                "answered": region.side.answered,
                "role": kit.role if (kit := region.side.kit) is not None else region.side.role or None,
                "epoch": kit.epoch if kit is not None else None,
                "heartbeat_age_s": kit.heartbeat_age_s if kit is not None else None,
                "fence": kit.fence if kit is not None else None,
                "gate": region.side.gate.value,
                "switch": region.side.switch or None,
                "last_backup": region.backup_at.isoformat() if region.backup_at else None,
                "emergency_access": None if region.armed is None else [armed_data(armed) for armed in region.armed],
            }
            for name, region in standing.regions.items()
        },
    }


def _print_drift(drift: Drift | None) -> None:
    if drift is None:
        return
    for resource in drift.resources:
        click.secho(f"    drifted: {resource}", fg="red")
    if drift.unknown:
        click.secho(f"    unknown: {drift.unknown}", fg="yellow")


def addresses(twin: Announcement, home: Home) -> list[str]:
    """Where everything is, and what to try: a line each."""
    lines = [f"  {region:<12} {url}" for region, url in twin.pages.items()]
    key = Key.kept(console_key(home)) if twin.console else None
    if key is not None and key.origin == twin.console:
        lines.append(f"  {'console':<12} {key.url}    both coasts in a browser")
    host, _, port = twin.resolver.rpartition(":")
    for region, address in twin.users.items():
        lines.append(f"  {'':<12} dig -b {address} @{host} -p {port} {twin.domain}    # as a user near {region}")
    lines.append(f'  {"AWS API":<12} {twin.endpoint}    eval "$(bicoastal env)"')
    lines.append(f"  {'certificate':<12} {twin.certificate}    signs every page and database: curl --cacert")
    return lines
