"""What is measured of databases for CloudWatch's AWS/RDS: what PostgreSQL itself knows, and nothing that is invented.

CPU, memory and credits of an instance class that does not exist here are not known, and are not published.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from bicoastal.core.errors import SystemFault
from bicoastal.twin.databases.instance import Instance
from bicoastal.twin.interfaces import Measurement

_GIB = 2**30
_EVERYWHERE = """
SELECT (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND usename <> 'rdsadmin')::float8,
       (SELECT sum(size) FROM pg_ls_waldir())::float8,
       (SELECT sum(pg_database_size(oid)) FROM pg_database)::float8,
       (SELECT max(age(datfrozenxid)) FROM pg_database)::float8
"""
_ON_A_PRIMARY = """
SELECT max(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn))::float8 FROM pg_replication_slots WHERE NOT temporary
"""
_ON_A_REPLICA = "SELECT extract(epoch FROM now() - pg_last_xact_replay_timestamp())::float8"
"""As RDS defines it: on a source where nothing is committed it grows."""
HEARTBEAT = "SELECT set_config('synchronous_commit', 'off', true), pg_current_xact_id()"
"""RDS commits something of its own every five minutes, which is why ReplicaLag reads that much on an idle source."""


def measure(instance: Instance) -> Iterator[Measurement]:
    """Of now; nothing of one that cannot be asked."""
    with contextlib.suppress(SystemFault):
        yield from _measured(instance)


def _measured(instance: Instance) -> Iterator[Measurement]:
    server, passwords, wanted = instance.primary, instance.site.passwords, instance.wanted
    if server.pid is None or wanted is None:
        return

    def found(name: str, unit: str, value: float | None) -> Iterator[Measurement]:
        if value is not None:
            yield Measurement(
                instance.key.region,
                "AWS/RDS",
                name,
                {"DBInstanceIdentifier": instance.key.identifier},
                unit,
                value=float(value),
            )

    sessions, wal, data, transactions = server.ask(passwords, _EVERYWHERE)[0]
    yield from found("DatabaseConnections", "Count", sessions)
    yield from found("TransactionLogsDiskUsage", "Bytes", wal)
    yield from found("FreeStorageSpace", "Bytes", wanted.storage_gib * _GIB - wal - data)
    yield from found("MaximumUsedTransactionIDs", "Count", transactions)
    if server.follows:
        yield from found("ReplicaLag", "Seconds", server.ask(passwords, _ON_A_REPLICA)[0][0])
    else:
        yield from found("OldestReplicationSlotLag", "Bytes", server.ask(passwords, _ON_A_PRIMARY)[0][0])
