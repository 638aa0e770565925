"""PostgreSQL's settings on the twin: what a parameter group says, over what a server of the twin needs.

Memory, processes and files are the twin's: a group written for a machine of 4 GiB would not fit a laptop eight times.
Everything else that PostgreSQL knows is taken as it is; what only RDS knows (`rds.*`) is left to `rules`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

SUPERUSER = "rdsadmin"
REPLICATION = "rdsrepladmin"
ADMINISTRATORS = "rds_superuser"
"""A role without login: what a master may do, and may give to others. It is no superuser, as on RDS."""

_TWIN: Mapping[str, str] = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "shared_buffers": "6MB",
    "max_connections": "100",
    "max_worker_processes": "2",
    "max_parallel_workers": "0",
    "max_logical_replication_workers": "0",
    "autovacuum_max_workers": "1",
    "max_wal_senders": "10",
    "max_replication_slots": "10",
    "wal_level": "replica",
    "wal_keep_size": "64MB",
    "max_wal_size": "256MB",
    "min_wal_size": "32MB",
    "jit": "off",
    "logging_collector": "off",
    "log_destination": "stderr",
    "log_line_prefix": "%t:%r:%u@%d:[%p]:",
    # Processes are killed here, never the machine: what the kernel has taken is not lost.
    "fsync": "off",
    "ssl": "on",
    "ssl_cert_file": "server.pem",
    "ssl_key_file": "server.key",
    "hot_standby": "on",
}
"""These win over the group."""
_DEFAULTS: Mapping[str, str] = {
    "password_encryption": "scram-sha-256",
    "log_min_messages": "warning",
    # A cut wire is noticed in seconds, as on RDS, and not in a minute.
    "wal_receiver_timeout": "5s",
    "wal_sender_timeout": "5s",
    "wal_receiver_status_interval": "1s",
    "wal_retrieve_retry_interval": "200ms",
}
"""The group wins over these."""


@dataclass(frozen=True)
class Settings:
    """What a server is told; equal settings need no reload."""

    values: Mapping[str, str]
    force_tls: bool

    @property
    def rules(self) -> str:
        """`pg_hba.conf`: who may connect, and how."""
        everybody = "hostssl" if self.force_tls else "host"
        return (
            f"hostssl replication {REPLICATION} 127.0.0.0/8 scram-sha-256\n"
            f"hostssl all {SUPERUSER} 127.0.0.0/8 scram-sha-256\n"
            f"{everybody} all all 127.0.0.0/8 scram-sha-256\n"
        )


def settings(group: Mapping[str, str], known: frozenset[str], libraries: frozenset[str] = frozenset()) -> Settings:
    """What a parameter group (its parameters that somebody set) means for PostgreSQL, whose parameters are `known`.

    Libraries that are not installed are not loaded. Formulas over the instance class (`{DBInstanceClassMemory/...}`)
    have no value here and are left out.
    """
    taken = {name: value for name, value in group.items() if name in known and "{" not in value}
    if "shared_preload_libraries" in taken:
        wanted = [name.strip() for name in taken["shared_preload_libraries"].split(",")]
        taken["shared_preload_libraries"] = ",".join(name for name in wanted if name in libraries)
    # From version 15 on RDS refuses connections without TLS unless the group says otherwise.
    return Settings({**_DEFAULTS, **taken, **_TWIN}, force_tls=group.get("rds.force_ssl", "1") == "1")


def write(path: Path, values: Mapping[str, str]) -> bool:
    """Write a configuration file, whole or not at all; returns whether it changed."""
    text = "".join(f"{name} = '{value.replace(chr(39), chr(39) * 2)}'\n" for name, value in sorted(values.items()))
    return write_text(path, text)


def write_text(path: Path, text: str) -> bool:
    """The same for any text."""
    if path.exists() and path.read_text() == text:
        return False
    partial = path.with_name(f"{path.name}.new")
    partial.write_text(text)
    partial.chmod(0o640)
    partial.replace(path)
    return True
