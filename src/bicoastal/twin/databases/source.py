"""A read replica's side of its replication: copied from its source, followed through the wire, made anew if need be.

How it is, is told as RDS tells it: `replicating`, `error` while the source cannot be followed, `terminated` (said by
the API) once a source in another region is deleted.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from bicoastal.core.errors import SystemFault
from bicoastal.twin.databases.desired import Wanted, slot_name

if TYPE_CHECKING:
    from bicoastal.twin.databases.instance import Instance

_STREAMING = "SELECT true FROM pg_stat_wal_receiver WHERE status = 'streaming'"
_SLOT = "SELECT wal_status FROM pg_replication_slots WHERE slot_name = %s"
ERROR_S = 5.0
"""A replica that has not streamed for so long is in error."""
REBUILD_S = 30.0
"""One that cannot follow a source that it could reach for so long is copied anew: in its own region RDS takes WAL from
S3. Across regions it has the slot alone ("How streaming replication works", RDS User Guide): a replica whose slot has
lost its WAL stays in error until somebody makes another one."""


class Source:
    """Of one instance, which is a replica or is not."""

    def __init__(self, instance: Instance) -> None:
        self._of = instance
        self.rebuild_s = REBUILD_S
        self._streamed = time.monotonic()
        self._reachable = time.monotonic()
        self._watched = time.monotonic()

    def copy(self, wanted: Wanted) -> None:
        """Make the node that serves a copy of the source. Raises SystemFault while there is none to be copied."""
        of, source = self._of, self._find(wanted)
        if source is None or source.serving() is None:
            raise SystemFault(f"{of.key}: its source {wanted.source} does not serve.")
        source.slots.ensure(slot_name(of.key.region, of.state.resource_id))
        of.primary.kill()
        of.primary.copy_from(of.link(of.state.primary).port, of.site.passwords)
        of.primary.follow()
        of.state.group = wanted.group
        self._streamed = self._reachable = time.monotonic()

    def watch(self, wanted: Wanted) -> None:
        """Tell how replication is; copy anew what cannot follow any more."""
        if wanted.source is None or not self._of.primary.follows or wanted.replication == "terminated":
            return
        now = time.monotonic()
        if now - self._watched > ERROR_S:
            # Its own hosts were gone: it has not tried to follow meanwhile.
            self._reachable = now
        self._watched = now
        if self._of.primary.ask(self._of.site.passwords, _STREAMING):
            self._streamed = self._reachable = now
            if wanted.replication != "replicating":
                self._of.tell("Replication for the Read Replica resumed", "read replica")
                self._of.report(replication="replicating")
            return
        if not self._may_be_reached(wanted):
            self._reachable = now
        if now - self._streamed > ERROR_S and wanted.replication == "replicating":
            self._of.tell("Replication has stopped.", "read replica")
            self._of.report(replication="error")
        if now - self._reachable > self.rebuild_s and not self._stranded(wanted):
            with self._of.endpoint.refusing():
                self.copy(wanted)

    def _stranded(self, wanted: Wanted) -> bool:
        """A replica in another region than its source, whose slot has lost what it needs."""
        of, found = self._of, self._find(wanted)
        if found is None or found.key.region == of.key.region:
            return False
        rows = found.primary.ask(of.site.passwords, _SLOT, slot_name(of.key.region, of.state.resource_id))
        return bool(rows) and rows[0][0] == "lost"

    def _find(self, wanted: Wanted) -> Instance | None:
        return self._of.site.find(wanted.source) if wanted.source else None

    def _may_be_reached(self, wanted: Wanted) -> bool:
        found = self._find(wanted)
        serving = found.serving() if found else None
        if found is None or serving is None or self._of.site.lost(found.key.region):
            return False
        wire, here = self._of.site.ground.wire, self._of.place_of(self._of.state.primary)
        return wire.cut_between(here, serving[0]) is None and wire.cut_between(serving[0], here) is None
