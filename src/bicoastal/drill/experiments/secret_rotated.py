"""The password of the application's role is changed, as the documentation says: a new value at home, then `deploy`.

Open sessions are not ended; the database takes the new password at once, in both regions, and every server is replaced
by one that was launched with it. Bar: nobody waits for an answer for longer than the application's deadline for a
request, one attempt and a second of the machine's. Groups launch before they terminate (`MinHealthyPercentage` 100 in
the templates), so that nobody should notice; servers without a password would refuse for as long as a boot takes.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import string
import time
from collections.abc import Iterator
from typing import Any

from bicoastal.aws.faults import aws_faults
from bicoastal.core.errors import SystemFault
from bicoastal.drill import deeds, looks
from bicoastal.drill.evidence import Evidence
from bicoastal.drill.experiment import Deed, Experiment, Judged, Promise, Run
from bicoastal.drill.in_region import HICCUP_S
from bicoastal.drill.ledger import KINDS
from bicoastal.drill.measure import longest_wait
from bicoastal.drill.promises import NOTHING_LOST
from bicoastal.drill.steady import STEADY, STEADY_AGAIN
from bicoastal.twin.faults import Act

DEPLOY_S = 300.0
ROLE = "app"
_LETTERS = string.ascii_letters + string.digits
_LENGTH = 48


def _rotate(run: Run) -> None:
    """A session is opened with the password of before, and kept."""
    run.kept["before"] = before = password_of(run)
    run.kept["after"] = after = "".join(secrets.choice(_LETTERS) for _ in range(_LENGTH))
    run.kept["session"] = log_in(run, run.home, before)
    run.kept["servers"] = {region: looks.fleet(run, region).ids for region in (run.home, run.standby)}
    began = time.time()
    with aws_faults("changing the password"):
        run.stage.session.client("secretsmanager", run.home).put_secret_value(
            SecretId=_secret(run), SecretString=json.dumps({"username": ROLE, "password": after})
        )
    run.fault = Act("the password was changed", began, time.time())


def _secret(run: Run) -> str:
    return f"{run.stage.script.name}/database/{ROLE}"


def password_of(run: Run) -> str:
    """Of the application's role, as the secret at home says now."""
    with aws_faults("reading the password"):
        found = run.stage.session.client("secretsmanager", run.home).get_secret_value(SecretId=_secret(run))
    return str(json.loads(found["SecretString"])["password"])


def log_in(run: Run, region: str, password: str) -> Any:
    """A session of that role, straight to a region's database. Raises SystemFault where it is refused."""
    stage = run.stage
    identifier = looks.database(run, region).identifier
    return stage.twin.databases.log_in(region, identifier, ROLE, password, stage.script.database)


def _deploy(run: Run) -> None:
    with run.phase("deploy"):
        run.operator.insists("deploy", within_s=DEPLOY_S)
    run.notes["deploy_s"] = round(run.operator.commands[-1].ended - run.operator.commands[-1].began, 1)


def _look(run: Run) -> None:
    """Who logs in now, and with what; whether the session of before still does its work; who serves."""
    regions = (run.home, run.standby)
    known = {name: run.kept[name] for name in ("before", "after")}
    run.notes["taken"] = {
        region: [name for name, password in known.items() if _taken(run, region, password)] for region in regions
    }
    with _ended(run.kept.pop("session")) as session:
        try:
            run.notes["open_session"] = bool(session.execute(b"SELECT count(*) >= 0 FROM orders").fetchall()[0][0])
        except Exception as error:
            # Whatever the driver says: it is a finding of the drill, not its end.
            run.notes["open_session"] = str(error).strip()
    run.notes["servers_of_before"] = {
        region: sorted(run.kept["servers"][region] & looks.fleet(run, region).zones.keys()) for region in regions
    }


def _taken(run: Run, region: str, password: str) -> bool:
    try:
        log_in(run, region, password).close()
    except SystemFault:
        return False
    return True


@contextlib.contextmanager
def _ended(session: Any) -> Iterator[Any]:
    try:
        yield session
    finally:
        session.close()


def _end_session(run: Run) -> None:
    session = run.kept.pop("session", None)
    if session is not None:
        session.close()


def judge_taken(run: Run, _: Evidence) -> Judged:
    """The new password alone opens sessions, on both coasts."""
    taken = run.notes.get("taken")
    if not taken:
        return False, "nobody tried to log in"
    said = "; ".join(
        f"{region} takes the password of {' and '.join(names) or 'nobody'}" for region, names in taken.items()
    )
    return all(names == ["after"] for names in taken.values()), said


def judge_open(run: Run, _: Evidence) -> Judged:
    """A session that was open before goes on."""
    said = run.notes.get("open_session")
    return said is True, "it reads as before" if said is True else f"it does not: {said}"


def judge_servers(run: Run, _: Evidence) -> Judged:
    """No server of before is in service any more."""
    left = run.notes.get("servers_of_before")
    if left is None:
        return False, "the fleets were not seen"
    kept = [id_ for ids in left.values() for id_ in ids]
    return not kept, f"{len(kept)} servers of before are in service" if kept else "all were replaced, in both regions"


def judge_served(run: Run, found: Evidence) -> Judged:
    """Nobody on either coast waits for longer than an attempt, from the change to the last look."""
    waits = [longest_wait(found.entries, KINDS, coast, found.fault, found.until) for coast in (run.home, run.standby)]
    if any(wait.seconds is None for wait in waits):
        return False, "nobody asked on one of the coasts"
    longest = max(waits, key=lambda wait: wait.seconds or 0.0)
    said = f"at most {longest.seconds:.1f} s between two answers ({longest.user}), bar {HICCUP_S:.1f} s"
    return (longest.seconds or 0.0) <= HICCUP_S, said


EXPERIMENTS = (
    Experiment(
        "secret-rotated",
        "the password of the application's role is changed",
        given=STEADY,
        when=(
            Deed("a new password is put into the secret at home", _rotate),
            Deed("an operator types `bicoastal deploy`", _deploy),
            Deed("users are served", deeds.served),
            Deed("sessions are opened with the passwords of before and after", _look),
            Deed("the database is asked for its rows", lambda run: deeds.count(run, run.home)),
        ),
        afterwards=(Deed("the session of before is ended", _end_session), STEADY_AGAIN),
        then=(
            Promise("new sessions are opened with the new password alone, on both coasts", judge_taken),
            Promise("a session that was open before goes on", judge_open),
            Promise("every server is replaced by one that knows the new password", judge_servers),
            Promise("nobody is refused for longer than one request may take", judge_served),
            NOTHING_LOST,
        ),
        traceless=True,
    ),
)
