"""PostgreSQL's own settings, the same in both regions: a replica becomes the primary without being configured.

Only what differs from RDS's defaults, or protects something, is set. Settings that a hot standby must match
(`max_connections`, `max_worker_processes`, ...) stay RDS's formulas over the instance class: raised on a primary first,
they would stop the replica's replay.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from bicoastal.blueprint.stack import Resource, Stack
from bicoastal.cfn.intrinsics import Commented, Value
from bicoastal.spec.model import Spec

RETAINED_WAL_SHARE: Final = 0.25
"""Share of the first storage that WAL kept for absent replicas may fill."""
_MIB_PER_GIB: Final = 1024


def retained_wal_mib(spec: Spec) -> int:
    """The most WAL, in MiB, that the primary keeps for a replica that does not fetch it."""
    return int(spec.database.storage_gib * _MIB_PER_GIB * RETAINED_WAL_SHARE)


def major_version(spec: Spec) -> str:
    """`17` of `17.6`: what the parameter group's family is named by."""
    return spec.database.engine_version.partition(".")[0]


def add_parameter_group(stack: Stack) -> Resource:
    """The parameter group of the instance and its read replicas."""
    spec = stack.spec
    return stack.add(
        "DatabaseParameters",
        "AWS::RDS::DBParameterGroup",
        {
            "Description": f"{spec.prefix}: PostgreSQL settings",
            "Family": f"postgres{major_version(spec)}",
            "Parameters": {**_CONNECTIONS, **_replication(spec), **_logging(spec), **_STATISTICS},
        },
    )


_CONNECTIONS: Final[Mapping[str, Value]] = {
    "rds.force_ssl": Commented("1", "Refuses a connection without TLS, whatever the client asks for."),
    "ssl_min_protocol_version": "TLSv1.2",
    "password_encryption": "scram-sha-256",
    "rds.accepted_password_auth_method": "scram",
    "idle_in_transaction_session_timeout": Commented(
        "60000", "Milliseconds. A forgotten transaction holds locks and keeps vacuum from its work; RDS waits a day."
    ),
    "tcp_keepalives_idle": Commented(
        "60", "Seconds; with the next two, the connection of a client that vanished is gone in 90 seconds."
    ),
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
}


def _replication(spec: Spec) -> dict[str, Value]:
    return {
        "max_slot_wal_keep_size": Commented(
            str(retained_wal_mib(spec)),
            "MiB: a quarter of the storage. A lost region's replica leaves its slot behind, and without a limit (the "
            "default) the WAL kept for it fills the disk and stops the primary. Beyond it the replica is built anew.",
        ),
        "hot_standby_feedback": Commented(
            "0", "A long query on a replica must not keep the primary from cleaning up: it is cancelled there instead."
        ),
        "max_standby_streaming_delay": Commented(
            "15000",
            "Milliseconds that replay waits for queries on a replica: a bound on what promotion still has to replay.",
        ),
    }


def _logging(spec: Spec) -> dict[str, Value]:
    return {
        # From 18 on a list of the steps to log; before, a switch.
        "log_connections": "all" if int(major_version(spec)) >= _CONNECTION_STEPS_SINCE else "1",
        "log_disconnections": "1",
        "log_lock_waits": "1",
        "log_statement": "ddl",
        "log_min_duration_statement": Commented("1000", "Milliseconds: statements slower than this are logged."),
        "log_parameter_max_length": Commented(
            "0", "Values bound to a slow statement are customers' data, and logs are not where that lives."
        ),
    }


_CONNECTION_STEPS_SINCE: Final = 18

_STATISTICS: Final[Mapping[str, Value]] = {
    "shared_preload_libraries": "pg_stat_statements",
    "track_io_timing": "1",
}
