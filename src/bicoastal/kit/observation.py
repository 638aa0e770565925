"""What the kit reads of the local database in one statement: the same for the daemon, the metrics and `status`."""

from __future__ import annotations

from dataclasses import dataclass

from bicoastal.kit.database import Session
from bicoastal.kit.fence import Fence

_QUERY = """
SELECT pg_is_in_recovery() AS replica,
    s.epoch, s.fence_reason, s.fence_epoch, s.fenced_at::text AS fenced_at, s.expelled_at IS NOT NULL AS expelled,
    s.replica_expected,
    h.region AS writer_region,
    extract(epoch FROM clock_timestamp() - h.beat_at)::float8 AS heartbeat_age,
    extract(epoch FROM clock_timestamp() - e.witness_at)::float8 AS witness_age,
    extract(epoch FROM clock_timestamp() - e.replica_at)::float8 AS replica_age,
    (SELECT count(*) FROM pg_stat_activity
        WHERE backend_type = 'client backend' AND usename NOT IN ('kit', 'rdsadmin') AND state <> 'idle') AS reading,
    (SELECT max(CASE WHEN NOT pg_is_in_recovery() THEN pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn) END)::float8
        FROM pg_replication_slots) AS retained,
    (SELECT max(r.reply_time)::text FROM pg_stat_replication r JOIN pg_replication_slots p ON p.active_pid = r.pid
        WHERE starts_with(p.slot_name, :prefix)) AS replica_reply
FROM bicoastal.state s CROSS JOIN bicoastal.evidence e LEFT JOIN bicoastal.heartbeat h ON true
"""


@dataclass(frozen=True)
class Observation:
    """One look. Ages in seconds by the database's clock; None: never, or not known on this side."""

    replica: bool
    epoch: int
    fence: Fence | None
    fenced_at: str | None
    expelled: bool
    """The sessions from before the fence are gone."""
    replica_expected: bool
    writer_region: str | None
    heartbeat_age: float | None
    witness_age: float | None
    replica_age: float | None
    reading_sessions: int
    slot_retained_bytes: float | None
    replica_reply: str | None
    """When the other region's replica last confirmed something, by its own clock: only a change of it says anything."""


def observe(session: Session, replica_slot_prefix: str) -> Observation:
    """Look once. Raises DatabaseError."""
    row = session.one(_QUERY, prefix=replica_slot_prefix)
    return Observation(
        replica=row["replica"],
        epoch=row["epoch"],
        fence=None if row["fence_reason"] is None else Fence(row["fence_epoch"], row["fence_reason"]),
        fenced_at=row["fenced_at"],
        expelled=row["expelled"],
        replica_expected=row["replica_expected"],
        writer_region=row["writer_region"],
        heartbeat_age=row["heartbeat_age"],
        witness_age=row["witness_age"],
        replica_age=row["replica_age"],
        reading_sessions=row["reading"],
        slot_retained_bytes=row["retained"],
        replica_reply=row["replica_reply"],
    )
