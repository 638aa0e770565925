"""The verb `status`: everything that is known here and now, as one JSON object, for the operator.

A value that cannot be known is null, and `unknown` says why, by the value's name. It always answers: an unreachable
database is an answer. Each part has its own deadline, so that the whole takes a few seconds at most.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import Any

from bicoastal.kit import metadata
from bicoastal.kit.aws_cli import AwsCli
from bicoastal.kit.config import Config
from bicoastal.kit.database import Session
from bicoastal.kit.errors import KitError
from bicoastal.kit.observation import observe
from bicoastal.kit.signing_in import as_kit
from bicoastal.kit.witness import ask, resolvers

_SESSIONS = """
SELECT usename AS "user", application_name, state, count(*)::int AS sessions,
    max(extract(epoch FROM clock_timestamp() - coalesce(xact_start, query_start)))::float8 AS oldest_s
FROM pg_stat_activity
WHERE backend_type = 'client backend' AND usename NOT IN ('kit', 'rdsadmin') AND state <> 'idle'
GROUP BY 1, 2, 3 ORDER BY 5 DESC
"""
_RECEIVER = """
SELECT status, pg_last_wal_receive_lsn()::text AS received_lsn, pg_last_wal_replay_lsn()::text AS replayed_lsn,
    pg_wal_lsn_diff(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())::float8 AS unreplayed_bytes,
    extract(epoch FROM clock_timestamp() - last_msg_receipt_time)::float8 AS last_contact_s,
    extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())::float8 AS last_replayed_commit_s
FROM (SELECT 1) AS always LEFT JOIN pg_stat_wal_receiver ON true
"""
_WAL = """
SELECT CASE WHEN pg_is_in_recovery() THEN NULL ELSE pg_current_wal_flush_lsn()::text END AS written_lsn,
    pg_current_snapshot()::text AS snapshot
"""
_SLOTS = """
SELECT p.slot_name AS name, p.active, p.wal_status,
    pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN NULL ELSE pg_current_wal_lsn() END, p.restart_lsn)::float8
        AS retained_bytes,
    starts_with(p.slot_name, :prefix) AS other_region, r.state, r.sync_state,
    extract(epoch FROM r.replay_lag)::float8 AS replay_lag_s
FROM pg_replication_slots p LEFT JOIN pg_stat_replication r ON r.pid = p.active_pid ORDER BY p.slot_name
"""


def status(config: Config, aws: AwsCli) -> dict[str, Any]:
    """Collect it. Never raises for what does not answer."""
    report = _Report()
    report.take("instance", lambda: {"id": (me := metadata.instance()).id, "zone": me.zone})
    report.values |= {
        "region": config.region,
        "application": config.application.version,
        # An operator waits for what these kits wait for: in a rehearsal at a faster pace, less.
        "intervals": {"tick": config.intervals.tick, "isolation": config.intervals.isolation},
    }
    report.take("witness", lambda: _witness(config))
    report.take("gate", lambda: _gate(config))
    report.take("database", lambda: _database(config, aws))
    if report.values["database"] is None:
        report.values["database"] = {"role": "unreachable"}
    return {**report.values, "unknown": report.unknown, "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}


class _Report:
    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.unknown: dict[str, str] = {}

    def take(self, name: str, ask_for: Callable[[], object]) -> None:
        try:
            self.values[name] = ask_for()
        except (KitError, OSError) as error:
            self.values[name] = None
            self.unknown[name] = str(error)


def _witness(config: Config) -> dict[str, Any]:
    testimony = ask(config.witness.name, resolvers(config.witness.resolvers), config.intervals.witness)
    return {"epoch": testimony.epoch, "region": testimony.region}


def _gate(config: Config) -> dict[str, Any]:
    with socket.create_connection((config.loopback, config.gate.port), timeout=1):
        return {"port": config.gate.port, "serving": True}


def _database(config: Config, aws: AwsCli) -> dict[str, Any]:
    with as_kit(config, aws, "bicoastal kit status") as session:
        seen = observe(session, config.replica_slot_prefix)
        sessions = [dict(row) for row in session.query(_SESSIONS)]
        fence = seen.fence
        return {
            "role": "replica" if seen.replica else "primary",
            "epoch": seen.epoch,
            "writer_region": seen.writer_region,
            "heartbeat_age_s": seen.heartbeat_age,
            "fence": fence
            and {"reason": fence.reason, "epoch": fence.epoch, "since": seen.fenced_at, "done": seen.expelled},
            "replica_expected": seen.replica_expected,
            "witness_seen_s": None if seen.replica else seen.witness_age,
            "replica_seen_s": None if seen.replica else seen.replica_age,
            "reading": {
                "sessions": seen.reading_sessions,
                "oldest_s": max((row["oldest_s"] for row in sessions if row["oldest_s"] is not None), default=None),
                "by": sessions,
            },
            "receiver": _receiver(session) if seen.replica else None,
            # What a promoted replica has, for ever: a row of its former primary that is not in it was lost.
            **session.one(_WAL),
            "slots": [dict(row) for row in session.query(_SLOTS, prefix=config.replica_slot_prefix)],
        }


def _receiver(session: Session) -> dict[str, Any]:
    """Where the replica stands. Without a receiver its status is `stopped`, and the last contact is not known."""
    row = dict(session.one(_RECEIVER))
    return {**row, "status": row["status"] or "stopped"}
