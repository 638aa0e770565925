"""The slots of a DB instance's replicas: they keep the WAL that a replica has not fetched, on whoever may yet serve.

A slot lives on one server. The standby of a Multi-AZ instance has a copy that is moved on with the primary's, so that a
failover leaves no replica without its WAL (RDS has no such step: its standby is the same storage).
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from bicoastal.core.errors import SystemFault
from bicoastal.twin.databases.desired import Wanted
from bicoastal.twin.databases.server import Server

if TYPE_CHECKING:
    from bicoastal.twin.databases.instance import Instance

_FOUND = "SELECT slot_name::text, active, restart_lsn::text, wal_status FROM pg_replication_slots WHERE NOT temporary"
_OURS = "rds_"


class Slots:
    """Of one instance."""

    def __init__(self, instance: Instance) -> None:
        self._of = instance
        self._expected: set[str] = set()
        """Slots that replicas made, of which the picture that is being converged may not know yet."""

    def converge(self, wanted: Wanted) -> None:
        """One for each replica, and none besides. Raises SystemFault where the server cannot be asked."""
        names = set(wanted.replicas.values())
        self._expected -= names
        # A region that is cut off cannot know that its replica was promoted elsewhere: it keeps on expecting it.
        drop = self._of.site.lost(self._of.key.region) is None
        found = self._keep(self._of.primary, names, drop=drop)
        standby = self._of.standby.server
        if wanted.multi_az and standby.pid is not None and (names or found):
            with contextlib.suppress(SystemFault):
                self._keep(standby, names, drop=drop)
                for name in names & found.keys():
                    self._advance(standby, name, found[name])

    def ensure(self, name: str) -> None:
        """A slot that keeps WAL from now on, for a replica that is about to be copied; one that lost its WAL goes."""
        primary, passwords = self._of.primary, self._of.site.passwords
        self._expected.add(name)
        rows = {row[0]: row for row in primary.ask(passwords, _FOUND)}
        if name in rows and rows[name][3] == "lost":
            primary.ask(passwords, "SELECT pg_drop_replication_slot(%s)", name)
            del rows[name]
        if name not in rows:
            primary.ask(passwords, "SELECT pg_create_physical_replication_slot(%s, true)", name)

    def _keep(self, server: Server, names: set[str], *, drop: bool) -> dict[str, str]:
        """Returns the slots that are there, and from where each keeps WAL."""
        passwords = self._of.site.passwords
        found = {name: (active, lsn) for name, active, lsn, _ in server.ask(passwords, _FOUND)}
        for name in names - found.keys():
            server.ask(passwords, "SELECT pg_create_physical_replication_slot(%s, true)", name)
        for name, (active, _) in found.items():
            if drop and name.startswith(_OURS) and name not in names | self._expected and not active:
                server.ask(passwords, "SELECT pg_drop_replication_slot(%s)", name)
        return {name: lsn or "" for name, (_, lsn) in found.items()}

    def _advance(self, standby: Server, name: str, lsn: str) -> None:
        if lsn:
            standby.ask(
                self._of.site.passwords,
                "SELECT pg_replication_slot_advance(slot_name, %s::pg_lsn) FROM pg_replication_slots "
                "WHERE slot_name = %s AND restart_lsn < %s::pg_lsn AND pg_last_wal_replay_lsn() > %s::pg_lsn",
                lsn, name, lsn, lsn,
            )  # fmt: skip
