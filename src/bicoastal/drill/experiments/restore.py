"""Somebody drops the application's table, and the last backup has to bring it back.

The backup is made as the weekday plan makes it (its vault, its role, its copy); when the plan itself runs is held by
its schedule, for a week is longer than a drill. What is lost is what was stored after it: that is counted, and no other
row may be missing. Rows come back as docs/backup.md says, by pg_dump, straight to the servers where an operator would
do it from one of the fleet's.
"""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bicoastal.aws.faults import aws_faults
from bicoastal.core.cron import cron, zone_of
from bicoastal.core.errors import SystemFault
from bicoastal.drill import deeds, looks
from bicoastal.drill.evidence import Evidence
from bicoastal.drill.experiment import Deed, Experiment, Judged, Promise, Run
from bicoastal.drill.steady import STEADY, STEADY_AGAIN
from bicoastal.twin.databases.programs import Programs
from bicoastal.twin.faults import Act

JOB_S = 180.0
PROGRAM_S = 120.0
TABLE = "orders"
OWNER = "owner"
_TABLE = f"public.{TABLE}"
_ELSEWHERE = ("us-east-2", "eu-west-1", "eu-central-1")
"""Regions that the sample's spec does not declare: a sample of them, asked for anything that was put there."""
_GOING = ("CREATED", "PENDING", "RUNNING")


def _back_up(run: Run) -> None:
    """A backup and its copy, to their ends; and which rows it must hold, and which it may."""
    with run.phase("backup"):
        before = _ids(run)
        point = _job(run, "backup_job", run.home, **_wanted(run))["RecoveryPointArn"]
        run.kept |= {"before": before, "until": _ids(run), "backed_up": time.time()}
        there = f"arn:aws:backup:{run.standby}:{point.split(':')[4]}:backup-vault:{_vault(run)}"
        _job(
            run, "copy_job", run.home, RecoveryPointArn=point, SourceBackupVaultName=_vault(run),
            DestinationBackupVaultArn=there, IamRoleArn=_role(run), Lifecycle={"DeleteAfterDays": 35},
        )  # fmt: skip
        run.kept["point"] = point


def _wanted(run: Run) -> dict[str, Any]:
    with aws_faults("finding the database"):
        (found,) = run.stage.session.client("rds", run.home).describe_db_instances(
            DBInstanceIdentifier=looks.database(run, run.home).identifier
        )["DBInstances"]
    return {
        "BackupVaultName": _vault(run),
        "ResourceArn": found["DBInstanceArn"],
        "IamRoleArn": _role(run),
        "Lifecycle": {"DeleteAfterDays": 35},
    }


def _vault(run: Run) -> str:
    return run.stage.script.name


def _role(run: Run) -> str:
    """Of the plan's own selection."""
    plan = _plan(run)
    client = run.stage.session.client("backup", run.home)
    with aws_faults("reading what the plan selects"):
        (chosen,) = client.list_backup_selections(BackupPlanId=plan)["BackupSelectionsList"]
    return str(chosen["IamRoleArn"])


def _plan(run: Run) -> str:
    with aws_faults("finding the backup plan"):
        (stack,) = run.stage.session.client("cloudformation", run.home).describe_stacks(
            StackName=f"{run.stage.script.name}-backup"
        )["Stacks"]
    return str(next(item["OutputValue"] for item in stack["Outputs"] if item["OutputKey"] == "BackupPlanId"))


def _job(run: Run, kind: str, region: str, **request: Any) -> Any:
    """Start one and wait for its end. Raises SystemFault where it is not a good one."""
    client = run.stage.session.client("backup", region)
    name = "BackupJobId" if kind == "backup_job" else "CopyJobId"
    with aws_faults(f"starting the {kind}"):
        id_ = getattr(client, f"start_{kind}")(**request)[name]

    def look() -> Any:
        with aws_faults(f"looking at the {kind}"):
            found = getattr(client, f"describe_{kind}")(**{name: id_})
        return found.get("CopyJob", found)

    run.wait(f"the {kind} ends", lambda: look()["State"] not in _GOING, JOB_S)
    found = look()
    if found["State"] != "COMPLETED":
        raise SystemFault(f"the {kind} is {found['State']}: {found.get('StatusMessage', '')}")
    return found


def _ids(run: Run) -> frozenset[str]:
    found = run.stage.ids(run.home)
    if found is None:
        raise SystemFault(f"the database in {run.home} could not be asked for its rows")
    return found


def _drop(run: Run) -> None:
    began = time.time()
    with _owner(run, looks.database(run, run.home).identifier) as session:
        session.execute(f"DROP TABLE {TABLE} CASCADE".encode())
    run.fault = Act(f"the table {TABLE} was dropped", began, time.time())


def _owner(run: Run, identifier: str) -> Any:
    return run.stage.twin.databases.log_in(run.home, identifier, OWNER, _password(run), run.stage.script.database)


def _password(run: Run) -> str:
    with aws_faults("reading the owner's password"):
        found = run.stage.session.client("secretsmanager", run.home).get_secret_value(
            SecretId=f"{run.stage.script.name}/database/{OWNER}"
        )
    return str(json.loads(found["SecretString"])["password"])


def _restore(run: Run) -> None:
    with run.phase("restore"):
        command = run.operator.types("backup", "restore", run.kept["point"], "--keep", "--format", "json")
        if command.code != 0:
            raise SystemFault(f"`{command.text}` ended with {command.code}:\n{command.said}")
        run.kept["restored"] = document(command.said)
    run.notes["restored_rows"] = {item["table"]: item["rows"] for item in run.kept["restored"]["tables"]}


def document(said: str) -> Any:
    """The JSON object among the lines that a command has printed. Raises SystemFault where there is none."""
    decoder = json.JSONDecoder()
    lines = said.splitlines(keepends=True)
    at = next((index for index, line in enumerate(lines) if line.startswith("{")), None)
    try:
        return decoder.raw_decode("".join(lines[at:]) if at is not None else "")[0]
    except ValueError as error:
        raise SystemFault(f"it printed no document:\n{said}") from error


def _bring_back(run: Run) -> None:
    """pg_dump of the restored database's table, psql into the live one."""
    with run.phase("rows come back"):
        dump = _program(run, run.kept["restored"]["instance"], "pg_dump", "--table", TABLE)
        file = Path(run.stage.folder) / f"{TABLE}.sql"
        file.write_text(dump)
        live = looks.database(run, run.home).identifier
        _program(run, live, "psql", "--quiet", "--set", "ON_ERROR_STOP=1", "--single-transaction", "--file", str(file))
        run.kept["back"] = time.time()


def _program(run: Run, identifier: str, name: str, *arguments: str) -> str:
    """One of PostgreSQL's, as the owner, beside the server: nobody gets in from outside. Returns what it printed."""
    with _owner(run, identifier) as session:
        port = str(session.info.port)
    ground, database = run.stage.twin.ground, run.stage.script.database
    return Programs(ground.home).run(
        name, "--host", "127.0.0.1", "--port", port, "--username", OWNER, "--dbname", database, *arguments,
        within_s=PROGRAM_S,
        environment={
            "PGPASSWORD": _password(run),
            "PGSSLMODE": "verify-full",
            "PGSSLROOTCERT": str(ground.authority.certificate),
        },
    )  # fmt: skip


def _residency(run: Run) -> None:
    """Where recovery points and snapshots are, by AWS's own lists of every region that is looked at."""
    found: dict[str, int] = {}
    for region in (run.home, run.standby, *_ELSEWHERE):
        client = run.stage.session.client("backup", region)
        with aws_faults(f"reading the vaults in {region}"):
            vaults = [item["BackupVaultName"] for item in client.list_backup_vaults()["BackupVaultList"]]
            points = [
                point["RecoveryPointArn"]
                for vault in vaults
                for point in client.list_recovery_points_by_backup_vault(BackupVaultName=vault)["RecoveryPoints"]
            ]
            snapshots = run.stage.session.client("rds", region).describe_db_snapshots()["DBSnapshots"]
        found[region] = len({*points, *(item["DBSnapshotArn"] for item in snapshots)})
    run.notes["kept_in"] = found


def _schedule(run: Run) -> None:
    """On which days of the week the plan runs, in its own zone: the next two weeks of its schedule."""
    client = run.stage.session.client("backup", run.home)
    with aws_faults("reading the backup plan"):
        rules = client.get_backup_plan(BackupPlanId=_plan(run))["BackupPlan"]["Rules"]
    days: dict[str, int] = {}
    for rule in rules:
        at: datetime | None = datetime.now(UTC)
        end = datetime.now(UTC) + timedelta(days=14)
        expression = rule["ScheduleExpression"].removeprefix("cron(").removesuffix(")")
        zone = rule.get("ScheduleExpressionTimezone") or "Etc/UTC"
        while (at := cron(expression, zone, at) if at is not None else None) is not None and at < end:
            day = at.astimezone(zone_of(zone)).strftime("%a")
            days[day] = days.get(day, 0) + 1
    run.notes["backup_days"] = days


def _discard(run: Run) -> None:
    """The restored database is deleted by the same command."""
    if "point" not in run.kept or "restored" not in run.kept:
        return
    with run.phase("the restored database is deleted"):
        run.operator.insists("backup", "restore", run.kept["point"], "--discard", within_s=JOB_S)


def judge_count(run: Run, _: Evidence) -> Judged:
    """What was there before the backup, and nothing that came after it had ended."""
    restored = run.kept.get("restored")
    if restored is None:
        return False, "nothing was restored"
    rows = {item["table"]: item["rows"] for item in restored["tables"]}.get(_TABLE)
    least, most = len(run.kept["before"]), len(run.kept["until"])
    if rows is None:
        return False, f"{_TABLE} is not in it: {restored['unknown'] or 'it holds other tables'}"
    said = f"{rows} rows, of at least {least} and at most {most}; every table read: {restored['sound']}"
    return bool(restored["sound"]) and least <= rows <= most, said


def judge_back(run: Run, _: Evidence) -> Judged:
    """Every row from before the backup is in the live database again."""
    if run.survivor_rows is None or "before" not in run.kept:
        return False, "the live database could not be asked for its rows"
    missing = run.kept["before"] - run.survivor_rows
    return not missing, f"{len(run.kept['before']) - len(missing)} of {len(run.kept['before'])} are there again"


def judge_lost(run: Run, found: Evidence) -> Judged:
    """Who lost a row had been told that it is stored after the backup, and before the table was there again."""
    lost = found.loss
    if lost is None or "backed_up" not in run.kept:
        return False, "the live database could not be asked for its rows"
    older = set(lost.lost) & run.kept["before"]
    back = run.kept.get("back", 0.0)
    told = {entry.id: entry.ended for entry in found.entries if entry.served and entry.id in set(lost.lost)}
    later = [id_ for id_, at in told.items() if at > back]
    said = f"{len(lost.lost)} of {lost.acknowledged} acknowledged rows are lost, all stored after the backup"
    if older or later:
        return False, f"{len(older)} lost rows are from before the backup, {len(later)} from after the table was back"
    return True, said


def judge_live(run: Run, _: Evidence) -> Judged:
    """The live database lost the table alone, and the restore touched nothing of it."""
    restored = run.kept.get("restored")
    if restored is None:
        return False, "nothing was restored"
    if restored["live_unknown"]:
        return False, f"it could not be compared: {restored['live_unknown']}"
    others = [item for item in restored["tables"] if item["table"] != _TABLE]
    differing = [item["table"] for item in others if not item["same"]]
    (dropped,) = [item for item in restored["tables"] if item["table"] == _TABLE] or [{"live_rows": 0}]
    if differing or dropped["live_rows"] is not None or not others:
        return False, f"{', '.join(differing) or 'nothing else'} differs; {_TABLE} there: {dropped['live_rows']}"
    return True, f"{len(others)} other tables are the same by checksum; {_TABLE} was seen to be missing"


def judge_residency(run: Run, _: Evidence) -> Judged:
    """Recovery points and snapshots are in the two declared regions, in both, and nowhere else."""
    found = run.notes.get("kept_in")
    if not found:
        return False, "nobody looked"
    said = ", ".join(f"{region}: {number}" for region, number in found.items())
    declared = {run.home, run.standby}
    return all((number > 0) == (region in declared) for region, number in found.items()), said


def judge_days(run: Run, _: Evidence) -> Judged:
    """Monday to Friday, each of them, and no other day."""
    days = run.notes.get("backup_days")
    if not days:
        return False, "the plan has no schedule that was understood"
    return set(days) == {"Mon", "Tue", "Wed", "Thu", "Fri"}, ", ".join(f"{day} {count}x" for day, count in days.items())


EXPERIMENTS = (
    Experiment(
        "restore",
        "the application's table is dropped, and comes back from the last backup",
        given=STEADY,
        when=(
            Deed("the day's backup is made and copied, as the plan makes it", _back_up),
            Deed("the plan's schedule is read", _schedule),
            Deed("somebody drops the table, on a Friday evening", _drop),
            Deed("an operator types `bicoastal backup restore --keep`", _restore),
            Deed("he brings its rows back into the live database", _bring_back),
            Deed("users are served again", deeds.served),
            Deed("the database is asked for its rows", lambda run: deeds.count(run, run.home)),
            Deed("every region is asked for what it keeps", _residency),
        ),
        afterwards=(Deed("the restored database is deleted", _discard), STEADY_AGAIN),
        then=(
            Promise("the restored database has the right number of rows", judge_count),
            Promise("every row from before the backup is there again", judge_back),
            Promise("only rows that were stored after the backup are lost", judge_lost),
            Promise("nothing else of the live database was touched", judge_live),
            Promise("backups are in the declared regions alone", judge_residency),
            Promise("the plan backs up from Monday to Friday alone", judge_days),
        ),
        traceless=True,
    ),
)
