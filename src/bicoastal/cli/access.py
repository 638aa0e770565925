"""`bicoastal access`: open an instance to responders for some minutes, see what is open, close it early."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import click

from bicoastal.cli.operating import subject_from, telling
from bicoastal.cli.package import session, spec_option
from bicoastal.operate.access import (
    Armed,
    close_access,
    look,
    minutes_allowed,
    open_access,
    reason_given,
    session_line,
    until_text,
)
from bicoastal.spec.load import load

_DURATION = re.compile(r"(?=.)(?:(\d{1,3})h)?(?:(\d{1,4})m(?:in)?)?")
_UNKNOWN = 3
"""The exit code where a region has not said what is open in it."""
form_option = click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)


class Minutes(click.ParamType[int]):
    """A time in whole minutes: `30m`, `2h`, `1h30m`."""

    name = "DURATION"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The minutes."""
        if isinstance(value, int):
            return value
        found = _DURATION.fullmatch(value)
        minutes = int(found[1] or 0) * 60 + int(found[2] or 0) if found else 0
        if minutes <= 0:
            self.fail(f"{value!r} is no time: 30m, 2h and 1h30m are", param, ctx)
        return minutes


@click.group("access")
def command() -> None:
    """Open one instance to responders for some minutes, without editing a role; it closes by itself.

    A document of the deployment's tags the instance; a responder may open a session to what bears the tag. When the
    time is over it untags the instance, ends its sessions and has it replaced, whether or not this machine is still
    there. Each use is recorded, and told to the alert topic. Run it with the responder's role of the instance's region.
    """


@command.command("open")
@click.argument("instance")
@click.option("--for", "minutes", type=Minutes(), required=True,
              help="How long: 30m, 1h. At most emergency.max_minutes of the file.")  # fmt: skip
@click.option("--reason", default="", help="Why, for the record: an incident's number and a few words.")
@spec_option
@form_option
def open_(instance: str, minutes: int, reason: str, spec: Path, form: str) -> None:
    """Open INSTANCE (such as i-0123456789abcdef0), in whichever region it is, and say how to get in.

    Refused, with 1: longer than allowed, no reason, an instance that is unknown, not of this fleet, or open already.
    """
    wanted = load(spec)
    minutes_allowed(minutes, wanted.emergency.max_minutes)
    reason_given(reason)
    subject = subject_from(wanted)
    armed = open_access(session("access", subject.prefix), subject, instance, minutes, reason, telling())
    line = session_line(subject, armed)
    if form == "json":
        click.echo(json.dumps({**armed_data(armed), "command": line}, indent=2))
        return
    click.secho(f"{armed.instance} in {armed.region} is open {until_text(armed)}.", fg="green")
    click.echo(f"  asked for by {armed.who}: {armed.reason}")
    click.echo("Get in, as the responder:")
    click.echo(f"  {line}")
    click.echo(
        "Then it closes by itself: sessions end, and the instance is replaced. "
        f"Earlier: bicoastal access close {armed.instance}"
    )


@command.command("close")
@click.argument("instance")
@spec_option
@form_option
def close(instance: str, spec: Path, form: str) -> None:
    """Close INSTANCE now: end its sessions, and have it replaced. Refused, with 1, for one that is not open."""
    subject = subject_from(load(spec))
    closed = close_access(session("access", subject.prefix), subject, instance, telling())
    if form == "json":
        data = {"region": closed.region, "instance": closed.instance, "execution": closed.execution}
        click.echo(json.dumps({**data, "sessions_ended": closed.sessions}, indent=2))
        return
    ended = {None: "its sessions are ended", 0: "no session was open", 1: "1 session is ended"}.get(
        closed.sessions, f"{closed.sessions} sessions are ended"
    )
    click.secho(
        f"{closed.instance} in {closed.region} is closed: {ended}, and Auto Scaling replaces the instance.", fg="green"
    )


@command.command("list")
@spec_option
@form_option
@click.pass_context
def list_(context: click.Context, spec: Path, form: str) -> None:
    """Show what is open in both regions: until when, who asked for it, and why.

    Ends with 3 where a region does not answer: what is open there is unknown.
    """
    subject = subject_from(load(spec))
    found = look(session("access", subject.prefix), subject)
    if form == "json":
        regions = {
            region: {"why_unknown": seen.why} if seen.armed is None else {"open": [armed_data(a) for a in seen.armed]}
            for region, seen in found.items()
        }
        click.echo(json.dumps({"regions": regions}, indent=2))
    else:
        for region, seen in found.items():
            if seen.armed is None:
                click.secho(f"{region:<12} unknown: {seen.why}", fg="yellow")
            elif not seen.armed:
                click.echo(f"{region:<12} nothing is open")
            for armed in seen.armed or ():
                click.secho(f"{region:<12} {told_armed(armed)}", fg="red")
    context.exit(_UNKNOWN if any(seen.armed is None for seen in found.values()) else 0)


def told_armed(armed: Armed) -> str:
    """One line of an open instance."""
    parts = [armed.instance, until_text(armed)]
    parts += [f"by {armed.who}"] if armed.who else []
    parts += (
        [{0: "no session", 1: "1 session"}.get(armed.sessions, f"{armed.sessions} sessions")]
        if (armed.sessions is not None)
        else []
    )
    text = ", ".join(parts)
    return f"{text}{f': {armed.reason}' if armed.reason else ''}{f' ({armed.trouble})' if armed.trouble else ''}"


def armed_data(armed: Armed) -> dict[str, Any]:
    """The same for machines; what is not known is null."""
    left = armed.left_s
    return {
        "region": armed.region,
        "instance": armed.instance,
        "execution": armed.execution or None,
        "who": armed.who or None,
        "reason": armed.reason or None,
        "minutes": armed.minutes,
        "until": armed.until.isoformat() if armed.until else None,
        "seconds_left": round(left) if left is not None else None,
        "sessions": armed.sessions,
        "trouble": armed.trouble or None,
    }
