"""`bicoastal backup`: what is kept of the database, and a recovery point made into a database of its own."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from bicoastal.aws.session import Session
from bicoastal.cli.operating import (
    alone,
    journal_of,
    other_place,
    print_end,
    print_plan,
    subject_from,
    telling,
    unless_silent,
)
from bicoastal.cli.package import session, spec_option
from bicoastal.core.errors import Refused
from bicoastal.operate.backups import COMPLETED, PATIENT_S, Copy, Point, Vault, choose, keep
from bicoastal.operate.census import Census, Table
from bicoastal.operate.journal import Journal
from bicoastal.operate.lock import RESTORE_LOCK, Place, refuse_beside
from bicoastal.operate.restore import Restore, age
from bicoastal.operate.subject import Subject
from bicoastal.operate.transitions import Operation, Step
from bicoastal.spec.load import load
from bicoastal.spec.model import Spec

PREDICTED = {Step.RESTORE: "5 s", Step.AWAIT_RESTORE: "10 min-h", Step.VERIFY: "s-min", Step.HAND_OVER: "<= 10 min"}
"""On AWS; a restore is RDS's own time, longer by size."""
_GIB = 1 << 30
format_option = click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)


@click.group("backup")
def command() -> None:
    """List what is kept of the database in both regions, and restore it into a database of its own."""


@command.command("list")
@spec_option
@format_option
@click.pass_context
def list_(context: click.Context, spec: Path, form: str) -> None:
    """Show the recovery points of both regions' vaults, newest first, and when the next backup is planned.

    A region that does not answer is told as unknown; ends with 3 where neither answers.
    """
    subject = subject_from(load(spec))
    vaults = keep(session("backup", subject.prefix), subject)
    if form == "json":
        click.echo(json.dumps({"vaults": [_vault_data(vault) for vault in vaults]}, indent=2))
    else:
        for vault in vaults:
            _print_vault(vault)
    context.exit(0 if any(vault.answered for vault in vaults) else 3)


@command.command("restore")
@click.argument("recovery_point", required=False)
@spec_option
@click.option("--latest", is_flag=True, help="The newest completed recovery point.")
@click.option("--before", metavar="TIME", help="The newest one from TIME or before, such as 2026-11-27T18:00 (UTC, or "
              "with an offset).")  # fmt: skip
@click.option("--region", help="The region whose vault is meant; by default where the original lies.")
@click.option("--keep", "kept", flag_value="keep", help="Leave the new database, and say how to use it.")
@click.option("--discard", "kept", flag_value="discard", help="Delete the new database again when it was read.")
@click.option("--dry-run", is_flag=True, help="Say which recovery point it is and what would be done; change nothing.")
@format_option
@click.pass_context
def restore(
    context: click.Context,
    recovery_point: str | None,
    spec: Path,
    *,
    latest: bool,
    before: str | None,
    region: str | None,
    kept: str | None,
    dry_run: bool,
    form: str,
) -> None:
    """Make a new database of RECOVERY_POINT, beside the live one; read every table of it, and compare.

    RECOVERY_POINT is an ARN, or the beginning of a name that `bicoastal backup list` shows. The live database is not
    touched. Ended or killed at any point, the same command goes on with the database that is being restored. Ends with
    1 where the new database could not be read wholly.
    """
    if sum((recovery_point is not None, latest, before is not None)) != 1:
        raise click.UsageError(
            "Say which one: a RECOVERY_POINT of `bicoastal backup list`, --latest, or --before TIME."
        )
    if kept is None and not dry_run:
        raise click.UsageError("Say what becomes of the new database once it was read: --keep or --discard.")
    until = _time(before) if before is not None else None
    known = load(spec)
    subject = subject_from(known)
    _refuse_elsewhere(known, region, recovery_point or "")
    calls = session("restore", subject.prefix)
    point = choose(keep(calls, subject, PATIENT_S), named=recovery_point or "", before=until, region=region or "")
    journal = journal_of(calls, subject, point.region, Operation.RESTORE)
    walk = Restore(calls, subject, point, keep=kept == "keep", journal=journal, tell=telling())
    click.echo(
        f"{point.id} in {point.region}: {point.instance} as it was {_moment(point.taken)}, {age(point)} ago.",
        err=form == "json",
    )
    _refuse_meanwhile(calls, subject, journal)
    if dry_run:
        click.echo(f"It would become {walk.name}, beside the live database:")
        context.exit(print_plan(Operation.RESTORE, walk.state(), (), PREDICTED))
    with alone(journal, f"restore of {point.id}", key=RESTORE_LOCK) as walk.lock:
        report = walk.run()
    seen = walk.census
    if form == "json":
        click.echo(json.dumps(_restore_data(walk, point, seen, report.seconds, kept=kept == "keep"), indent=2))
    else:
        _print_census(seen, point)
        print_end(report, journal, _outcome(walk, report.seconds, kept=kept == "keep"))
        if kept == "keep":
            _print_use(walk)
    context.exit(0 if seen is None or seen.sound else 1)


def _refuse_elsewhere(spec: Spec, region: str | None, named: str) -> None:
    """Data live in declared regions alone (M2), and a recovery point becomes a database where it lies."""
    declared = (spec.home, *spec.copies)
    lies = named.split(":")[3] if named.startswith("arn:") and named.count(":") > 5 else ""
    for asked in (region, lies):
        if asked and asked not in declared:
            raise Refused(
                f"{asked} is outside of the residency that {spec.name} declares: its data live in "
                f"{' and '.join(declared)}, and nowhere else.\n    -> Restore in one of these."
            )
    if region and lies and region != lies:
        raise Refused(
            f"{named.rpartition(':')[2]} lies in {lies}, and a recovery point is restored where it lies.\n"
            f"    -> Leave --region out, or name its copy in {region}: `bicoastal backup list`."
        )


def _refuse_meanwhile(calls: Session, subject: Subject, journal: Journal) -> None:
    """No restore begins beside another operation, in either region; a region that is silent cannot say."""
    refuse_beside(Place(calls, journal.region, journal.bucket))
    other = other_place(calls, subject, subject.other(journal.region))
    if other is not None:
        with unless_silent(other.region):
            refuse_beside(other)


def _time(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(
            f"{text!r} is no time: write 2026-11-27T18:00, or 2026-11-27T18:00-05:00", param_hint="--before"
        ) from None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%a %Y-%m-%d %H:%M} UTC"


# The list.


def _print_vault(vault: Vault) -> None:
    click.secho(f"{vault.region}  {vault.name}".rstrip(), bold=True)
    if not vault.answered:
        click.secho(f"  unknown: {vault.why}", fg="yellow")
        return
    for point in vault.points:
        where = f"copied from {point.copied_from}" if point.copied_from else _copied_to(point.copies)
        until = f"kept until {point.until:%Y-%m-%d}" if point.until is not None else "no end is said"
        click.secho(
            f"  {_short(point, vault):<22} {_moment(point.taken):<26} {age(point):>6}  {point.instance:<28} "
            f"{_size(point):>10}  {point.state:<10} {where}; {until}",
            fg=None if point.state == COMPLETED else "yellow",
        )
    if not vault.points:
        click.echo("  no recovery point")
    click.echo(f"  next planned: {_planned(vault)}")


def _short(point: Point, vault: Vault) -> str:
    """As much of the name as tells it from the others of its vault."""
    others = [other.id.lower() for other in vault.points if other is not point]
    length = 16
    while any(other.startswith(point.id[:length].lower()) for other in others) and length < len(point.id):
        length += 1
    return point.id[:length].rstrip("-")


def _size(point: Point) -> str:
    return "unknown" if point.size is None else f"{point.size / _GIB:.1f} GiB"


def _copied_to(copies: tuple[Copy, ...]) -> str:
    if not copies:
        return "no copy is known"
    return ", ".join(
        f"copied to {copy.region}" if copy.state == COMPLETED else f"copy to {copy.region}: {copy.state}"
        for copy in copies
    )


def _planned(vault: Vault) -> str:
    if vault.selected is None:
        return "unknown"
    if not vault.selected:
        return "nothing: the plan here selects no database while this region has the replica"
    said = [
        f"{_moment(found.next_at) if found.next_at is not None else 'unknown'} ({found.expression}, {found.zone})"
        for found in vault.schedules
    ]
    return "; ".join(said) or "nothing: the plan has no rule"


def _vault_data(vault: Vault) -> dict[str, Any]:
    return {
        "region": vault.region,
        "answered": vault.answered,
        "why": vault.why or None,
        "vault": vault.name or None,
        "recovery_points": [_point_data(point) for point in vault.points] if vault.answered else None,
        "selected": vault.selected,
        "schedules": [
            {"expression": item.expression, "time_zone": item.zone, "next_at": _iso(item.next_at)}
            for item in vault.schedules
        ],
    }


def _point_data(point: Point) -> dict[str, Any]:
    return {
        "arn": point.arn,
        "id": point.id,
        "region": point.region,
        "state": point.state,
        "taken_at": _iso(point.taken),
        "age_s": round((datetime.now(UTC) - point.taken).total_seconds()),
        "source": point.source,
        "bytes": point.size,
        "kept_until": _iso(point.until),
        "copied_from": point.copied_from or None,
        "copies": [{"region": copy.region, "state": copy.state, "arn": copy.made or None} for copy in point.copies],
    }


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat(timespec="seconds")


# The restore.


def _print_census(seen: Census | None, point: Point) -> None:
    if seen is None:
        click.secho("It was not read by this run: an earlier one had begun to delete it.", fg="yellow")
        return
    if seen.unknown:
        click.secho(f"Not read, or not wholly: {seen.unknown}", fg="red")
    if seen.read:
        checked = {True: "with page checksums", False: "without page checksums", None: "page checksums unknown"}[
            seen.page_checksums
        ]
        click.echo(
            f"Read to the last row: {len(seen.read)} tables, {seen.rows} rows, {checked}; "
            f"{'unknown' if seen.invalid_indexes is None else seen.invalid_indexes} invalid indexes. "
            f"Its data end at {seen.beat or 'an unknown moment'} (last heartbeat)."
        )
    elif not seen.unknown:
        click.secho("There is no table in it that the application may read.", fg="red")
    if seen.unread:
        click.secho(f"Not read, for the application may not: {', '.join(seen.unread)}", fg="yellow")
    if seen.live_unknown and seen.read:
        click.secho(f"Compared with nothing: {seen.live_unknown}", fg="yellow")
    elif seen.read:
        click.echo(f"Compared with the live database in {point.region} as it is now:")
    for table in seen.tables:
        text, good = _compared(table, unknown=bool(seen.live_unknown))
        click.secho(f"  {table.name:<32} {_rows(table.rows):>12}  {_rows(table.live_rows):>12}  {text}",
                    fg=None if good else "yellow")  # fmt: skip


def _rows(number: int | None) -> str:
    return "-" if number is None else f"{number}"


def _compared(table: Table, *, unknown: bool) -> tuple[str, bool]:  # noqa: PLR0911 - a line for each case
    """What the two numbers beside it, of the restored and of the live table, mean."""
    if table.unreadable:
        return f"the application may not read it ({', '.join(table.unreadable)})", False
    if unknown:
        return "not compared", False
    if table.rows is None:
        return "the live database alone has this table", True
    if table.live_rows is None:
        return "the live database does not have this table: all of it can come back", False
    if table.same:
        return "the same, row by row, by checksum", True
    if table.alone is None:
        return "they differ; too many rows to be compared one by one", False
    return f"{table.alone} rows are in the restored one alone, {table.live_alone} in the live one alone", False


def _outcome(walk: Restore, seconds: float, *, kept: bool) -> str:
    if not kept:
        return f"{walk.name} was restored, read and deleted again, in {seconds:.0f} s."
    return f"{walk.name} is there, after {seconds:.0f} s. It costs what a database costs until it is deleted."


def _print_use(walk: Restore) -> None:
    made = walk.made
    if made is None:
        return
    click.echo(
        f"  endpoint  {made.host}:{made.port}, for the fleet's servers; roles and passwords are those of its time"
    )
    click.echo(
        "  rows out  on a server of the fleet (`docs/backup.md` says how to get there), as `owner`:\n"
        f"            pg_dump -h {made.host} -U owner -d app -t TABLE | psql -1 -h LIVE_HOST -U owner -d app\n"
        '  service   it replaces the live database by the steps of docs/runbook.md, "Restore"\n'
        f"  delete    aws rds delete-db-instance --region {walk.report.region} --db-instance-identifier {walk.name} "
        "--skip-final-snapshot"
    )


def _restore_data(walk: Restore, point: Point, seen: Census | None, seconds: float, *, kept: bool) -> dict[str, Any]:
    made = walk.made
    return {
        "recovery_point": _point_data(point),
        "instance": walk.name,
        "region": point.region,
        "seconds": round(seconds, 1),
        "kept": kept,
        "endpoint": {"host": made.host, "port": made.port} if made is not None and kept else None,
        "sound": seen.sound if seen is not None else None,
        "unknown": (seen.unknown or None) if seen is not None else "an earlier run had begun to delete it",
        "live_unknown": (seen.live_unknown or None) if seen is not None else None,
        "data_end_at": seen.beat if seen is not None else None,
        "page_checksums": seen.page_checksums if seen is not None else None,
        "invalid_indexes": seen.invalid_indexes if seen is not None else None,
        "tables": [
            {
                "table": table.name,
                "rows": table.rows,
                "checksum": table.checksum,
                "live_rows": table.live_rows,
                "live_checksum": table.live_checksum,
                "same": table.same,
                "restored_alone": table.alone,
                "live_alone": table.live_alone,
                "unreadable": list(table.unreadable),
            }
            for table in (seen.tables if seen is not None else ())
        ],
    }
