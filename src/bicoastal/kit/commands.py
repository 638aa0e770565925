"""What an operator asks of the local database, each answered by one JSON object: fence, unfence, probe.

They act where the local database is a primary and refuse elsewhere; operations call them through SSM.
"""

from __future__ import annotations

import secrets
import time

from bicoastal.kit.aws_cli import AwsCli
from bicoastal.kit.config import Config
from bicoastal.kit.database import INSUFFICIENT_PRIVILEGE, READ_ONLY_TRANSACTION, DatabaseError, Session
from bicoastal.kit.errors import RefusedError, UnavailableError
from bicoastal.kit.fence import Reason
from bicoastal.kit.signing_in import as_application, as_kit

APPLICATION_NAME = "bicoastal kit command"
_EXPEL_DEADLINE_S = 30.0
_EPOCH_REFUSED = "BC001"
_RECEIVED_WITHIN_S = 2.0
_LOOK_S = 0.01
_PROMOTED_WITHIN_S = 5.0
_ATTEMPT_S = 0.05
_RECEIVED = """
SELECT count(*) AS replicas, coalesce(bool_or(r.flush_lsn >= CAST(:lsn AS pg_lsn)), false) AS received
FROM pg_stat_replication r JOIN pg_replication_slots p ON p.active_pid = r.pid WHERE starts_with(p.slot_name, :prefix)
"""


def fence(config: Config, aws: AwsCli, epoch: int, reason: str) -> dict[str, object]:
    """Stop writes and end the sessions that could still finish one. Raises UnavailableError if some do not end."""
    if reason == Reason.ISOLATED:
        raise RefusedError(
            f"the reason {reason!r} is the kit's own: it lifts such a fence by itself. Give another one."
        )
    with _primary(config, aws) as session:
        said = str(session.one("SELECT bicoastal.fence(:epoch, :reason) AS said", epoch=epoch, reason=reason)["said"])
        if said == "stale":
            raise RefusedError(f"epoch {epoch} is not above what this database has; see `status`.")
        deadline = time.monotonic() + _EXPEL_DEADLINE_S
        while remaining := session.one("SELECT bicoastal.expel(1000) AS remaining")["remaining"]:
            if time.monotonic() > deadline:
                raise UnavailableError(
                    f"fenced, but {remaining} sessions from before did not end in {_EXPEL_DEADLINE_S:g} s."
                )
        if said.startswith("leaky"):
            raise UnavailableError(f"fenced, but not tight: {said}. Revoke that grant as its grantor.")
        lsn = str(session.one("SELECT pg_current_wal_flush_lsn()::text AS lsn")["lsn"])
        told = {"fenced": True, "epoch": epoch, "reason": reason, "already": said == "already", "lsn": lsn}
        return {**told, "received": _received(session, config, lsn)}


def unfence(config: Config, aws: AwsCli, epoch: int) -> dict[str, object]:
    """Lift the fence, raise the epoch, and prove that the application can write, once a promotion has ended.

    One command, for an operator waits between two, and writers between a promotion and this. Raises RefusedError for an
    epoch that is too low, and for a database that is a replica and stays one.
    """
    with _promoted(config, aws) as session:
        try:
            said = session.one("SELECT bicoastal.unfence(:epoch) AS said", epoch=epoch)["said"]
        except DatabaseError as error:
            if error.code == _EPOCH_REFUSED:
                raise RefusedError(str(error)) from error
            raise
    return {"fenced": False, "epoch": epoch, "change": said, **probe(config, aws)}


def probe(config: Config, aws: AwsCli) -> dict[str, object]:
    """Write as the application does and read it back: the only proof that writes are possible."""
    nonce = secrets.token_hex(8)
    begun = time.monotonic()
    with as_application(config, aws, "bicoastal kit probe") as session:
        try:
            session.query("UPDATE bicoastal.probe SET written_at = clock_timestamp(), nonce = :nonce", nonce=nonce)
        except DatabaseError as error:
            if error.code in (READ_ONLY_TRANSACTION, INSUFFICIENT_PRIVILEGE):
                raise RefusedError(f"the application cannot write: {error}") from error
            raise
        written = session.one("SELECT nonce FROM bicoastal.probe")["nonce"]
        # Another probe may have come between; that one's row proves the same.
        return {"writes": written is not None, "seconds": round(time.monotonic() - begun, 3)}


def _received(session: Session, config: Config, lsn: str) -> bool:
    """Whether the other region's replica has everything up to here on its disk: a promotion replays all of that.

    Told by the replica itself, within a moment; so a switchover need not go and ask it while writes are stopped.
    """
    deadline = time.monotonic() + _RECEIVED_WITHIN_S
    while True:
        row = session.one(_RECEIVED, lsn=lsn, prefix=config.replica_slot_prefix)
        if row["received"] or not row["replicas"] or time.monotonic() > deadline:
            return bool(row["received"])
        time.sleep(_LOOK_S)


def _promoted(config: Config, aws: AwsCli) -> Session:
    """A session on what is a primary, or becomes one in a moment: it restarts, and then takes connections."""
    deadline = time.monotonic() + _PROMOTED_WITHIN_S
    while True:
        try:
            return _primary(config, aws)
        except (DatabaseError, RefusedError):
            if time.monotonic() > deadline:
                raise
        time.sleep(_ATTEMPT_S)


def _primary(config: Config, aws: AwsCli) -> Session:
    session = as_kit(config, aws, APPLICATION_NAME)
    try:
        if session.one("SELECT pg_is_in_recovery() AS replica")["replica"]:
            raise RefusedError(f"the database in {config.region} is a replica; it takes its fence from its primary.")
    except BaseException:
        session.close()
        raise
    return session
