"""The hosts of the standby region's replica are gone for so long that the primary gives up on keeping WAL for it.

To get there within seconds the drill lowers the limit in the primary's parameter group (`max_slot_wal_keep_size`, by
the API, and gives it back), and writes WAL that holds no rows. What is held:
- WAL that is kept for the replica stays below the limit and what PostgreSQL writes between two checkpoints
  (`max_wal_size`): it looks at the limit at a checkpoint alone. Both figures are the server's own;
- the standby's region tells somebody, by its alarm on a heartbeat that nobody there can read; the primary's region has
  no alarm that rings as soon;
- reads of that coast go on, from the other region's database, which libpq finds: nobody waits for an answer for longer
  than the application's deadline for a request, one attempt and a second of the machine's;
- a replica whose slot has lost its WAL never follows again across regions, and `bicoastal rejoin` builds the next
  generation. Until its servers know that one they read what the stranded one has: how old that is, is measured.
"""

from __future__ import annotations

import time

from bicoastal.aws.faults import aws_faults
from bicoastal.core.errors import SystemFault
from bicoastal.drill import deeds, looks
from bicoastal.drill.evidence import Evidence
from bicoastal.drill.experiment import Deed, Experiment, Judged, Promise, Run
from bicoastal.drill.experiments.secret_rotated import log_in, password_of
from bicoastal.drill.in_region import HICCUP_S
from bicoastal.drill.ledger import KINDS
from bicoastal.drill.measure import READS, heartbeat_ages, longest_wait
from bicoastal.drill.promises import NOTHING_LOST
from bicoastal.drill.steady import STEADY, STEADY_AGAIN
from bicoastal.drill.users import PATIENCE_S

LIMIT_MIB = 64
"""As low as what PostgreSQL keeps in any case on the twin (`wal_keep_size`)."""
ALARM = "heartbeat-lost"
ALARM_S = 180.0
FULL_S = 120.0
SEEN_S = 90.0
LOOK_S = 0.5
_PARAMETER = "max_slot_wal_keep_size"
_MIB = 1024 * 1024
_CHUNK = "SELECT pg_logical_emit_message(false, 'drill', repeat('x', 4194304))"
_BREATH_S = 0.15
"""Between two chunks: users' commits wait behind them for the standby."""
_SLOT = """
SELECT coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn), 0)::float8, wal_status, active
FROM pg_replication_slots WHERE slot_name LIKE 'rds!_%' ESCAPE '!' ORDER BY active DESC LIMIT 1
"""
_SETTINGS = "SELECT name, setting::float8 FROM pg_settings WHERE name IN ('max_slot_wal_keep_size', 'max_wal_size')"


def _lower(run: Run) -> None:
    """In force as soon as the server has read it."""
    run.kept["limit"] = _setting(run)[_PARAMETER]
    _put_limit(run, LIMIT_MIB)
    run.wait(f"{_PARAMETER} is {LIMIT_MIB} MiB", lambda: _setting(run)[_PARAMETER] == LIMIT_MIB, SEEN_S)


def _restore(run: Run) -> None:
    if "limit" in run.kept:
        _put_limit(run, int(run.kept.pop("limit")))


def _put_limit(run: Run, mib: int) -> None:
    client = run.stage.session.client("rds", run.home)
    with aws_faults(f"setting {_PARAMETER}"):
        (found,) = client.describe_db_instances(DBInstanceIdentifier=looks.database(run, run.home).identifier)[
            "DBInstances"
        ]
        client.modify_db_parameter_group(
            DBParameterGroupName=found["DBParameterGroups"][0]["DBParameterGroupName"],
            Parameters=[{"ParameterName": _PARAMETER, "ParameterValue": str(mib), "ApplyMethod": "immediate"}],
        )


def _setting(run: Run) -> dict[str, float]:
    """In MiB, as the server has them."""
    found = run.stage.rows(run.home, _SETTINGS)
    if found is None:
        raise SystemFault(f"the database in {run.home} does not say what its settings are")
    return {str(name): float(value) for name, value in found}


def _lose(run: Run) -> None:
    found = looks.database(run, run.standby)
    run.kept["replica"] = found.identifier
    run.notes["generations"] = [found.identifier]
    run.fault = run.stage.twin.faults.take_database(run.standby, found.identifier)


def _fill(run: Run) -> None:
    """WAL until the primary gives up; what is kept for the replica is looked at after each chunk."""
    with run.phase("WAL is kept"):
        session = log_in(run, run.home, password_of(run))
        most, end, status = 0.0, time.monotonic() + FULL_S, ""
        try:
            while status != "lost":
                if time.monotonic() > end:
                    raise SystemFault(f"the slot is {status!r} after {FULL_S:.0f} s and {most / _MIB:.0f} MiB")
                session.execute(_CHUNK)
                slot = run.stage.rows(run.home, _SLOT)
                if not slot:
                    raise SystemFault("the primary has no slot for a replica")
                most, status = max(most, float(slot[0][0])), str(slot[0][1])
                time.sleep(_BREATH_S)
        finally:
            session.close()
            run.notes |= {"wal_kept_mib": round(most / _MIB, 1), "slot": status, "settings_mib": _setting(run)}


def _told(run: Run) -> None:
    def rings() -> bool:
        time.sleep(LOOK_S)
        return looks.alarms(run, run.standby).get(ALARM) == "ALARM"

    with run.phase("somebody is told"):
        run.wait(f"the alarm {ALARM} rings in {run.standby}", rings, ALARM_S)
    run.notes["alarms"] = {
        region: sorted(name for name, state in looks.alarms(run, region).items() if state == "ALARM")
        for region in (run.home, run.standby)
    }


def _give_back(run: Run) -> None:
    """Where it is not yet: what it does then is looked at."""
    if "replica" not in run.kept:
        return
    run.returned = run.stage.twin.faults.give_database(run.standby, run.kept.pop("replica"))


def _returns(run: Run) -> None:
    _give_back(run)
    with run.phase("the replica is back, and stranded"):
        run.wait(
            "the replica that is back answers",
            lambda: run.stage.rows(run.standby, "SELECT pg_is_in_recovery()") == [(True,)],
            SEEN_S,
        )
        run.wait("RDS says how it is", lambda: looks.database(run, run.standby).replication != "", SEEN_S)
    run.notes["replication"] = looks.database(run, run.standby).replication


def _rejoin(run: Run) -> None:
    with run.phase("rejoin"):
        run.operator.insists("rejoin", within_s=deeds.HOME_S)
    ended = time.time()
    run.notes["generations"].append(looks.database(run, run.standby).identifier)
    run.notes["replication_after"] = looks.database(run, run.standby).replication
    if run.returned is not None:
        entries = run.users.entries()
        ages = heartbeat_ages(entries, run.standby, ended, ended - run.returned.ended)
        run.notes["oldest_read_s"] = round(max(ages), 1) if ages else None


def judge_bounded(run: Run, _: Evidence) -> Judged:
    """What was kept is no more than the limit and one checkpoint's WAL, and the slot was given up."""
    kept, settings = run.notes.get("wal_kept_mib"), run.notes.get("settings_mib")
    if kept is None or settings is None:
        return False, "nobody looked at the slot"
    bar = settings[_PARAMETER] + settings["max_wal_size"]
    said = f"{kept:.0f} MiB at most, bar {bar:.0f} MiB; then the slot is {run.notes['slot']}"
    return settings[_PARAMETER] == LIMIT_MIB and 0 < kept <= bar and run.notes["slot"] == "lost", said


def judge_told(run: Run, _: Evidence) -> Judged:
    """The region of the replica tells somebody."""
    alarms = run.notes.get("alarms")
    if alarms is None:
        return False, f"{ALARM} did not ring in {run.standby}"
    said = "; ".join(f"{region}: {', '.join(names) or 'none'}" for region, names in alarms.items())
    return ALARM in alarms[run.standby], said


def judge_served(run: Run, found: Evidence) -> Judged:
    """Nobody on the replica's coast waits while it is away, for a read or for a row."""
    if run.returned is None:
        return False, "the replica was not given back"
    wait = longest_wait(found.entries, KINDS, run.standby, found.fault, run.returned.began)
    if wait.seconds is None:
        return False, "nobody asked"
    reads = {
        entry.shown.replica
        for entry in found.entries
        if entry.shown is not None
        and entry.coast == run.standby
        and entry.kind in READS
        and found.fault + PATIENCE_S < entry.began
        and entry.ended < run.returned.began
    }
    said = f"at most {wait.seconds:.1f} s between two answers ({wait.user}), bar {HICCUP_S:.1f} s"
    if reads != {False}:
        return False, f"{said}; " + ("a replica was read" if reads else "no list was read")
    return wait.seconds <= HICCUP_S, f"{said}; lists come from the primary"


def judge_rebuilt(run: Run, _: Evidence) -> Judged:
    """It does not follow by itself, and the operator's next generation does."""
    generations = run.notes.get("generations", [])
    if len(generations) != 1 + 1:
        return False, "nobody has built another one"
    before, after = run.notes.get("replication"), run.notes.get("replication_after")
    said = f"{generations[0]} was {before} when it was back, {generations[1]} is {after}"
    return before == "error" and after == "replicating" and generations[0] != generations[1], said


EXPERIMENTS = (
    Experiment(
        "replica-loss",
        "the standby region's replica is gone for longer than WAL is kept for it",
        given=STEADY,
        when=(
            Deed(f"{_PARAMETER} is lowered to {LIMIT_MIB} MiB, to be reached in seconds", _lower),
            Deed("the hosts of the replica fail, and stay away", _lose),
            Deed("WAL is written until the primary gives up on it", _fill),
            Deed("somebody is told", _told),
            Deed("the hosts are back, and the replica is stranded", _returns),
            Deed("an operator types `bicoastal rejoin`", _rejoin),
            Deed("users are served", deeds.served),
            Deed("the database is asked for its rows", lambda run: deeds.count(run, run.home)),
        ),
        afterwards=(
            Deed("the hosts are back, whatever happened", _give_back),
            Deed(f"{_PARAMETER} is as it was", _restore),
            deeds.AS_BEFORE,
            STEADY_AGAIN,
        ),
        then=(
            Promise("WAL that is kept for the replica is bounded, and the slot is given up", judge_bounded),
            Promise("the replica's region tells somebody", judge_told),
            Promise("users near the replica are served from the primary's region meanwhile", judge_served),
            Promise(
                "the stranded replica stays in error, and `rejoin` builds the next generation, which streams",
                judge_rebuilt,
            ),
            NOTHING_LOST,
        ),
        traceless=True,
    ),
)
