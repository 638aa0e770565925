"""The second server of a DB instance: the standby of a Multi-AZ one, in another zone.

Of a primary it confirms every commit. It may take over only while it has all that was acknowledged (`State.synced`);
when it is gone, commits wait a moment and then go on without it, and it may not take over until it has caught up. Of a
replica it follows the replica, and nothing waits for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from bicoastal.core.errors import SystemFault
from bicoastal.twin.databases.server import Server

if TYPE_CHECKING:
    from bicoastal.twin.databases.instance import Instance

SUSPEND_S = 1.5
"""How long commits wait for a standby that does not answer."""
REBUILD_S = 20.0
"""A standby that runs and does not follow for so long is made anew."""
_STREAMS_S = 5.0
_SETTLES_S = 0.3
"""How long a server's processes may take to read their settings again."""
_LOOK_S = 0.02
_STREAMING = "SELECT sync_state FROM pg_stat_replication WHERE application_name = %s AND state = 'streaming'"
_CONFIRMED = (
    "SELECT flush_lsn >= %s::pg_lsn FROM pg_stat_replication "
    "WHERE application_name = %s AND state = 'streaming' AND sync_state IN ('sync', 'quorum')"
)


class Standby:
    """Of one instance, whose state it keeps."""

    def __init__(self, instance: Instance) -> None:
        self._of = instance
        self._followed = time.monotonic()
        self._enabled = 0.0
        self._target = ""

    @property
    def server(self) -> Server:
        """The node that does not serve."""
        return self._of.nodes[self._of.state.other]

    @property
    def may_take_over(self) -> bool:
        """Whether no acknowledged write would be lost: a replica acknowledges none."""
        state = self._of.state
        alive = self.server.pid is not None and state.rejoin == ""
        follows = self._of.nodes[state.primary].follows or (self._of.wanted is not None and self._of.wanted.source)
        return alive and (state.synced or bool(follows))

    def calm(self, *, wanted: bool) -> bool:
        """Whether there is nothing to do for it soon."""
        return (not wanted and not self.server.exists) or (wanted and self.may_take_over and self._streams())

    def converge(self, *, wanted: bool) -> None:
        """Make it so. Raises SystemFault where it cannot be, now."""
        if not wanted:
            self.remove()
            return
        state, server = self._of.state, self.server
        if not self._placed():
            return
        if state.rejoin == "copy" or not server.exists:
            self._copy()
        elif state.rejoin == "follow":
            server.follow()
            state.rejoin = ""
            self._of.save()
        if server.pid is None:
            self._start()
        self._watch()

    def _placed(self) -> bool:
        """Whether it is in a zone that is there; RDS makes a new one in another zone of the subnet group, if any is."""
        state, of = self._of.state, self._of
        if not of.site.zone_lost(of.key.region, state.zones[state.other]):
            return True
        others = [
            zone
            for zone in (of.wanted.zones if of.wanted is not None else ())
            if zone != state.zones[state.primary] and not of.site.zone_lost(of.key.region, zone)
        ]
        if not others:
            self._suspend()
            self.server.kill()
            return False
        self.remove()
        state.zones[state.other] = others[0]
        state.rejoin = "copy"
        of.save()
        of.link(state.other).drop()
        of.tell_zones()
        return True

    def remove(self) -> None:
        """It is not wanted any more."""
        if self.server.exists or self.server.pid is not None:
            self._suspend()
            self.server.kill()
            self.server.erase()

    def restart(self) -> None:
        """For settings that are read at a start. Commits go on without it meanwhile."""
        if self.server.pid is not None:
            self._suspend()
            self.server.stop()

    def await_synced(self, deadline_s: float) -> None:
        """Until it may take over. Raises SystemFault when it may not in time."""

        def ready() -> bool:
            self._watch()
            return self.may_take_over

        if not _within(deadline_s, ready):
            raise SystemFault(f"{self.server.name}: it does not follow its primary.\n    -> See {self.server.log}.")

    def _copy(self) -> None:
        self._suspend()
        state, server = self._of.state, self.server
        state.rejoin = "copy"
        self._of.save()
        server.kill()
        server.copy_from(self._of.link(state.other).port, self._of.site.passwords)
        server.follow()
        state.rejoin = ""
        self._of.save()

    def _start(self) -> None:
        self._of.configure(self._of.state.other)
        try:
            self.server.start(self._of.site.passwords, [self._of.endpoint.address])
        except SystemFault:
            # What a crash left of it does not start: its data are its primary's, and are taken from there.
            self._of.state.rejoin = "copy"
            self._of.save()
            raise
        self._followed = time.monotonic()
        _within(_STREAMS_S, self._streams)

    def _watch(self) -> None:
        """Let commits wait for it while it follows, and only then."""
        state, now = self._of.state, time.monotonic()
        self._of.configure(state.other)
        streams = self._streams()
        if streams:
            self._followed = now
        elif now - self._followed > REBUILD_S:
            state.rejoin = "copy"
            self._of.save()
        if self._of.primary.follows:
            return
        if state.synchronous and not streams and not _within(SUSPEND_S, self._streams):
            if self._of.primary.pid is None:
                # It is the primary that is gone, and the standby is about to be needed.
                raise SystemFault(f"{self._of.primary.name} has ended.\n    -> See {self._of.primary.log}.")
            self._suspend()
        elif streams and not state.synchronous:
            state.synchronous = True
            self._of.save()
            self._of.configure(state.primary)
            self._enabled, self._target = time.monotonic(), ""
        if state.synchronous and not state.synced:
            _within(2 * _SETTLES_S + SUSPEND_S, self._confirm)

    def _confirm(self) -> bool:
        """Whether it has all that was committed before commits waited for it."""
        if time.monotonic() - self._enabled < _SETTLES_S:
            return False
        passwords, primary = self._of.site.passwords, self._of.primary
        if not self._target:
            self._target = str(primary.ask(passwords, "SELECT pg_current_wal_flush_lsn()::text")[0][0])
        found = primary.ask(passwords, _CONFIRMED, self._target, self.server.application)
        if not found or not found[0][0]:
            return False
        self._of.state.synced = True
        self._of.save()
        return True

    def _suspend(self) -> None:
        """Commits wait for nobody: from before that on it may not take over."""
        state = self._of.state
        if state.synchronous or state.synced:
            state.synchronous = state.synced = False
            self._of.save()
            self._of.configure(state.primary)

    def _streams(self) -> bool:
        if self._of.primary.pid is None or self.server.pid is None:
            return False
        return bool(self._of.primary.ask(self._of.site.passwords, _STREAMING, self.server.application))


def _within(deadline_s: float, holds: Callable[[], bool]) -> bool:
    end = time.monotonic() + deadline_s
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(_LOOK_S)
    return True
