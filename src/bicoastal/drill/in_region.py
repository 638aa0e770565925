"""What drills have in common in which less than a region is lost: the database moves to its standby, and stays itself.

What they see is left in a run's notes: `database_before`, `database_after`, `standby_again_s`.
"""

from __future__ import annotations

import time

from bicoastal.drill import deeds, looks
from bicoastal.drill.evidence import Evidence
from bicoastal.drill.experiment import Deed, Judged, Promise, Run
from bicoastal.drill.measure import Recovery
from bicoastal.drill.users import PATIENCE_S
from bicoastal.resilience.local_loss import MULTI_AZ, instance_lost

STANDBY_S = 120.0
APPLICATION_S = 5.0
"""The sample application's own deadline for a request (`WRITE_DEADLINE_S`, `READ_DEADLINE_S` in its store)."""
HICCUP_S = APPLICATION_S + PATIENCE_S + 1.0
"""Whoever is served all the time may wait so long for one answer: the application gives up, he asks again, and the
machine that all of it runs on takes a second. What does not serve him is there for much longer."""
_SYNCED = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming' AND sync_state IN ('sync', 'quorum')"


def note_database(run: Run) -> looks.Database:
    """As it is before anything is lost."""
    found = looks.database(run, run.home)
    run.notes["database_before"] = _said(found)
    return found


def _standby_again(run: Run) -> None:
    """A new standby confirms commits."""
    with run.phase("a new standby is made"):
        run.wait(
            "a new standby confirms commits",
            lambda: run.stage.rows(run.home, _SYNCED) == [(1,)],
            STANDBY_S,
        )
    if run.fault is not None:
        run.notes["standby_again_s"] = round(time.time() - run.fault.began, 2)
    run.notes["database_after"] = _said(looks.database(run, run.home))


def _said(found: looks.Database) -> dict[str, str]:
    return {
        "identifier": found.identifier,
        "endpoint": found.endpoint,
        "zone": found.zone,
        "standby_zone": found.standby_zone,
    }


STANDBY_AGAIN = Deed("RDS makes a new standby", _standby_again)
COUNT = Deed("the database is asked for its rows", lambda run: deeds.count(run, run.home))


def _moved(run: Run, _: Evidence) -> Judged:
    before, after = run.notes.get("database_before"), run.notes.get("database_after")
    if before is None or after is None:
        return False, "the database was not seen afterwards"
    same = before["endpoint"] == after["endpoint"] and before["identifier"] == after["identifier"]
    said = f"{after['endpoint']}, in {after['zone']} and before in {before['zone']}"
    return same and after["zone"] == before["standby_zone"] != before["zone"], said


def _standby_held(run: Run, _: Evidence) -> Judged:
    seconds, after = run.notes.get("standby_again_s"), run.notes.get("database_after")
    if seconds is None or after is None:
        return False, "no new standby was seen to confirm a commit"
    said = f"in {after['standby_zone']}, {seconds:.1f} s after the fault"
    lost = run.notes.get("zone")
    return after["standby_zone"] not in ("", after["zone"], lost), said


def _writes_held(run: Run, found: Evidence) -> Judged:
    return within_bar(found.writes, (MULTI_AZ.most or 0.0) / run.stage.pace.factor + PATIENCE_S)


def _reads_held(run: Run, found: Evidence) -> Judged:
    deployment = looks.deployment(run)
    notices = [
        outcome.rto.most
        for outcome in (instance_lost(deployment, run.home) if deployment is not None else ())
        if outcome.rto is not None and outcome.rto.most is not None
    ]
    if not notices:
        return False, "the templates do not say when a balancer leaves a target"
    return within_bar(found.reads, max(notices) / run.stage.pace.factor + PATIENCE_S)


def within_bar(found: Recovery, bar: float) -> Judged:
    """Whether the slowest user waited no longer."""
    if found.seconds is None:
        return False, f"{found.slowest or 'nobody'} was not served again"
    return found.seconds <= bar, f"{found.seconds:.1f} s ({found.slowest or 'nobody noticed'}), at most {bar:.1f} s"


READS_WITHIN = Promise(
    "every user reads again as soon as the balancer's health checks have left what is lost, and one attempt",
    _reads_held,
)
WRITES_WITHIN = Promise(
    "every user writes again within RDS's time for a Multi-AZ failover, and one attempt", _writes_held
)
SAME_ENDPOINT = Promise("the database is the same, at the same endpoint, in the zone of its standby", _moved)
STANDBY_ELSEWHERE = Promise("a new standby confirms commits, in another zone that is there", _standby_held)
