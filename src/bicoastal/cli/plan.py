"""`bicoastal plan`: what a deploy would change, without changing anything."""

from __future__ import annotations

import json
from pathlib import Path

import click

from bicoastal.cli.package import allow_option, folder_argument, new_image_option, package, session, spec_option
from bicoastal.deploy.deployment import Wishes, plan
from bicoastal.deploy.guard import STATEFUL
from bicoastal.deploy.survey import Plan, Planned
from bicoastal.stacks.changes import ResourceChange, replaced

_SIGNS = {"Add": "+", "Modify": "~", "Remove": "-", "Import": "<", "Dynamic": "?"}


@click.command("plan")
@folder_argument
@spec_option
@allow_option
@new_image_option
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(folder: Path | None, spec: Path, allowed: tuple[str, ...], new_image: bool, *, form: str) -> None:
    """Show what `deploy` would add, modify, replace and remove in both regions.

    DEPLOYMENT is a folder that `synth` wrote; without one, what the spec says. CloudFormation itself is asked, by
    change sets that are deleted again; templates longer than 50 KiB stay in the artifact buckets. Nothing else is
    touched.
    """
    what = package(spec, folder)
    found = plan(session("plan", what.name), what, Wishes(allowed, new_image))
    if form == "json":
        click.echo(json.dumps(as_data(found), indent=2))
        return
    for line, color in as_text(found):
        click.secho(line, fg=color or None)


def as_data(found: Plan) -> dict[str, object]:
    """The plan for machines."""
    return {
        "empty": found.empty,
        "stacks": [
            {
                "id": planned.entry.id,
                "name": planned.entry.name,
                "region": planned.entry.region,
                "action": _action(planned),
                "state": planned.state,
                "unknown": [f"{source.stack}.{source.output}" for source in planned.unknown],
                "watched_minutes": _watched_minutes(planned),
                "changes": [
                    {
                        "action": change.action.lower(),
                        "replacement": change.replacement.lower() if change.replacement else None,
                        "resource": change.logical_id,
                        "type": change.type,
                        "physical_id": change.physical_id,
                        "stateful": change.type in STATEFUL,
                        "properties": [
                            {"name": item.name, "recreation": item.recreation.lower(), "cause": item.cause}
                            for item in change.properties
                        ],
                    }
                    for change in planned.changes
                ],
            }
            for planned in found.stacks
        ],
        "refused": [
            {"stack": item.stack, "resource": item.change.logical_id, "text": str(item)} for item in found.objections
        ],
    }


def as_text(found: Plan) -> list[tuple[str, str]]:
    """Lines and their colors, for people."""
    if found.empty:
        return [(f"Nothing to change: all {len(found.stacks)} stacks are as they should be.", "green")]
    lines: list[tuple[str, str]] = []
    for planned in found.stacks:
        lines += _stack(planned)
    lines += [
        (f"refused: {line}" if index == 0 else line, "red")
        for item in found.objections
        for index, line in enumerate(str(item).splitlines())
    ]
    counts = [_action(planned) for planned in found.stacks]
    total = ", ".join(f"{counts.count(action)} to {action}" for action in ("create", "update") if action in counts)
    same = counts.count("none")
    lines.append(
        (
            f"{total or 'Nothing certain'}{f', {same} unchanged' if same else ''}. Nothing was executed; next: "
            "bicoastal deploy",
            "",
        )
    )
    return lines


def _action(planned: Planned) -> str:
    if planned.creates:
        return "create"
    if planned.state or planned.unknown:
        return "unknown"
    return "update" if planned.changes or planned.proposal else "none"


def _watched_minutes(planned: Planned) -> int:
    """How long CloudFormation watches the change after it was made, ready to take it back."""
    return planned.proposal.desired.watch.minutes if planned.proposal is not None else 0


def _stack(planned: Planned) -> list[tuple[str, str]]:
    action = _action(planned)
    name = f"{planned.entry.id}  ({planned.entry.name})"
    if action == "none":
        return [(f"{name}: no change", "")]
    if action == "unknown":
        waits = ", ".join(f"{source.output} of {source.stack}" for source in planned.unknown)
        return [(f"{name}: {planned.state or f'known only when there is {waits}'}", "yellow")]
    if planned.creates:
        lines = [(f"{name}: create, {len(planned.changes)} resources", "")]
        if planned.state:
            lines.append((f"    {planned.state}", "yellow"))
    else:
        watched = _watched_minutes(planned)
        what = "" if planned.changes else " of tags, outputs or policies only"
        lines = [(f"{name}: update{what}{f', then watched for {watched} min' if watched else ''}", "")]
    anew = replaced(planned.changes)
    return lines + [_change(change, anew.get(change.logical_id)) for change in planned.changes]


def _change(change: ResourceChange, anew: bool | None) -> tuple[str, str]:
    """`anew`: made anew for certain (True), perhaps (False), or not (None)."""
    replaces = anew is not None
    sign = "-/+" if replaces else f"  {_SIGNS.get(change.action, '?')}"
    how = ("replaced" if anew else "perhaps replaced") if replaces else ""
    names = ", ".join(
        dict.fromkeys(
            f"{item.name}{f' (by {item.cause})' if item.cause else ''}"
            for item in change.properties
            if not replaces or item.recreation != "Never"
        )
    )
    text = f"  {sign} {change.logical_id}  {change.type}"
    if how:
        text += f"  {how}" + (f" because of {names}" if names else "")
    elif names:
        text += f"  {names}"
    loses = replaces or change.action == "Remove"
    color = "red" if loses and change.type in STATEFUL else "yellow" if loses else ""
    return text, color
