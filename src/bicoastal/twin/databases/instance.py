"""One DB instance: its two nodes, who of them serves, and what RDS does to it.

Level-triggered: every step compares what is wanted with what is there, and may be taken again after a crash. The order
within a failover is what keeps acknowledged writes: the old server has ended before the state names the new one, and
the state names it before it is promoted.
"""

from __future__ import annotations

import contextlib
import shutil
import threading
import time
from functools import partial
from pathlib import Path
from typing import LiteralString

from bicoastal.core.errors import SystemFault
from bicoastal.twin.databases import settings
from bicoastal.twin.databases.desired import Key, Wanted, slot_name
from bicoastal.twin.databases.links import Endpoint, Link
from bicoastal.twin.databases.server import Server, Upstream, literal
from bicoastal.twin.databases.site import Site
from bicoastal.twin.databases.slots import Slots
from bicoastal.twin.databases.source import Source
from bicoastal.twin.databases.standby import Standby
from bicoastal.twin.databases.state import NODES, State
from bicoastal.twin.databases.wal import hand_over
from bicoastal.twin.interfaces import database_name
from bicoastal.twin.wire import Address, Place

HUNG_S = 8.0
"""A server that runs and answers nothing for so long is taken for dead."""
CALM_S = 0.8
"""An instance that was found as it should be is not looked at again so soon, unless something else is wanted of it."""
GRACE_S = 3.0
"""How long a server that is stopped waits for those that follow it: one behind a cut wire would hold it up for long."""
_SYNCED_S = 60.0
_PENDING_LOOKS = 3


class Instance:
    """Converged by one thread at a time; what it serves, and its end, may be asked by any."""

    def __init__(self, site: Site, key: Key) -> None:
        """What an earlier twin left in its folder is found again; nothing runs yet."""
        ground = site.ground
        self.site = site
        self.key = key
        self.folder = ground.home.databases(key.region, key.identifier)
        self.nodes = {
            node: Server(ground.home, site.programs, ground.authority, self.folder / node, f"{key}/{node}")
            for node in NODES
        }
        self.state = State.load(self.folder) or State("")
        self.endpoint = Endpoint(site, key, self.serving)
        self.standby = Standby(self)
        self.source = Source(self)
        self.slots = Slots(self)
        self.wanted: Wanted | None = None
        self._links: dict[str, Link] = {}
        self._lock = threading.Lock()
        self._looks = 0
        self._pending = False
        self._silent_since: float | None = None
        self._calm_until = 0.0
        self._away = False

    @property
    def primary(self) -> Server:
        """The node that serves."""
        return self.nodes[self.state.primary]

    def serving(self) -> tuple[Place, Address] | None:
        """Where it serves, and where it listens there; None while it does not."""
        if self.primary.pid is None:
            return None
        return self.place_of(self.state.primary), ("127.0.0.1", self.primary.port)

    def place_of(self, node: str) -> Place:
        """Where a node is."""
        return Place(self.key.region, self.state.zones.get(node, ""))

    def link(self, node: str) -> Link:
        """The way of a node to what it follows: the other node, or the source of a replica."""
        if node not in self._links:
            self._links[node] = Link(
                self.site.ground.wire, partial(self.place_of, node), partial(self._upstream_of, node)
            )
        return self._links[node]

    def converge(self, wanted: Wanted) -> None:
        """Make it so. Raises SystemFault where it cannot be, now."""
        with self._lock:
            if self._away or self.site.lost(self.key.region) == "refuse":
                return
            if wanted == self.wanted and time.monotonic() < self._calm_until and self.primary.pid is not None:
                return
            self.wanted = wanted
            self._calm_until = 0.0
            if self.state.resource_id != wanted.resource_id:
                self._begin(wanted)
            if wanted.status == "deleting":
                self._delete(wanted)
            elif wanted.status in ("stopping", "stopped"):
                self.close()
                self._settle(wanted)
            else:
                self._run(wanted)
                self._calm_until = time.monotonic() + (CALM_S if self.standby.calm(wanted=wanted.multi_az) else 0)

    def _run(self, wanted: Wanted) -> None:
        if not self.state.born:
            self._be_born(wanted)
        if wanted.secondary and not self.state.zones[self.state.other]:
            self.state.zones[self.state.other] = wanted.secondary
            self.save()
        self._operate(wanted)
        self._heal()
        if wanted.zone != self.state.zones[self.state.primary]:
            self.tell_zones()
        self._take_role(wanted)
        self.configure(self.state.primary)
        self.endpoint.open(wanted.port)
        if self.endpoint.address != wanted.address:
            self.report(address=self.endpoint.address)
        self._put_password(wanted)
        self._tell_group(wanted)
        early = wanted.status == "creating" or wanted.multi_az == self.standby.server.exists
        if early:
            # A new standby is not waited for: it is there a second later. One that is asked for later is.
            self._settle(wanted)
        self.slots.converge(wanted)
        self.source.watch(wanted)
        self.standby.converge(wanted=wanted.multi_az)
        if not early:
            self._settle(wanted)

    def _begin(self, wanted: Wanted) -> None:
        """What is here belonged to an earlier instance of this name, if anything is."""
        self._erase()
        self.state = State(
            wanted.resource_id,
            zones=dict(zip(NODES, (wanted.zone, wanted.secondary), strict=True)),
            group=wanted.group,
        )
        self.save()

    def _be_born(self, wanted: Wanted) -> None:
        """New, of a snapshot, or as a copy of its source. Interrupted, it begins anew."""
        primary, site = self.primary, self.site
        primary.kill()
        if wanted.source is not None:
            self.source.copy(wanted)
        elif wanted.born_of:
            primary.adopt(site.ground.home.databases("snapshots", self.key.region, wanted.born_of, "data"))
        else:
            site.template.take(primary)
            self._start()
            self._furnish(wanted)
            self.state.password_version = wanted.password_version
        self.state.born = True
        self.save()

    def _furnish(self, wanted: Wanted) -> None:
        """The master, who is no superuser, and the database."""
        primary, passwords = self.primary, self.site.passwords
        verifier = primary.verifier(passwords, wanted.master, wanted.password)

        def say(template: LiteralString, **values: str) -> None:
            primary.ask(passwords, literal(template, master=wanted.master, **values))

        say(
            "CREATE ROLE {master} LOGIN CREATEDB CREATEROLE PASSWORD {_password} IN ROLE {role}",
            _password=verifier,
            role=settings.ADMINISTRATORS,
        )
        say("ALTER DATABASE postgres OWNER TO {master}")
        if wanted.database not in ("", "postgres"):
            say("CREATE DATABASE {database} OWNER {master}", database=wanted.database)

    def _operate(self, wanted: Wanted) -> None:
        """A reboot that was asked for, once."""
        operation = wanted.operation
        if operation is None:
            return
        if operation.id != self.state.operation:
            self.state.group = wanted.group
            if operation.failover:
                self._heal()
                self.standby.converge(wanted=wanted.multi_az)
                self.standby.await_synced(_SYNCED_S)
                self._fail_over(clean=True, operation=operation.id)
                if self._pending_restart():
                    self._restart()
            else:
                self._restart()
                self.standby.restart()
                self.state.operation = operation.id
                self.save()
            self.tell("DB instance restarted", "availability")
        self.report(operation=operation.id)

    def _restart(self) -> None:
        with self.endpoint.refusing():
            self.primary.stop(GRACE_S)
            self._start()

    def _heal(self) -> None:
        """A server that has ended is started again; or the standby takes over, where it loses nothing by it."""
        if self.primary.pid is not None:
            if self.primary.answers(self.site.passwords):
                self._silent_since = None
                return
            self._silent_since = self._silent_since or time.monotonic()
            if time.monotonic() - self._silent_since < HUNG_S:
                raise SystemFault(f"{self.primary.name} does not answer.\n    -> See {self.primary.log}.")
            self.primary.kill()
        self._silent_since = None
        if self.standby.may_take_over:
            self._fail_over(clean=False)
        elif self.site.zone_lost(self.key.region, self.state.zones[self.state.primary]):
            raise SystemFault(f"{self.primary.name}: its Availability Zone is lost, and no standby has what it had.")
        elif self.primary.exists:
            self._start()
        elif self._replicates:
            self.source.copy(self._known())
            self._start()
        else:
            raise SystemFault(
                f"{self.primary.name}: its disk is gone, and no standby has what it had.\n"
                "    -> Restore it from a snapshot or a backup."
            )

    def _start(self) -> None:
        self.configure(self.state.primary)
        self.primary.start(self.site.passwords, [self.endpoint.address])
        self._pending, self._looks = False, 0

    def _fail_over(self, *, clean: bool, operation: str = "") -> None:
        """The standby serves, and the server that did becomes the standby."""
        self.tell("Multi-AZ instance failover started.", "failover")
        with self.endpoint.refusing():
            old, replica = self.primary, self.primary.follows or self._replicates
            ended = old.stop(GRACE_S) if clean else False
            old.kill()
            if not ended and not replica and old.exists:
                hand_over(self.site.ground.home, old.data, self.standby.server.data)
            state = self.state
            state.primary = state.other
            state.rejoin = "follow" if ended else "copy"
            state.synchronous = state.synced = False
            state.operation = operation or state.operation
            self.save()
            # From here on its way leads to the source of a replica, or nowhere.
            self.link(state.primary).drop()
            self.configure(state.primary)
            if not replica:
                self.primary.promote(self.site.passwords)
        self.tell("Multi-AZ instance failover completed", "failover")
        self.tell_zones()

    @property
    def _replicates(self) -> bool:
        """Its disk may be gone: the API knows, too."""
        return self.wanted is not None and self.wanted.source is not None

    def _known(self) -> Wanted:
        if self.wanted is None:
            raise RuntimeError(f"{self.key} was not converged before")
        return self.wanted

    def tell_zones(self) -> None:
        """Where its nodes are."""
        state = self.state
        self.report(zone=state.zones[state.primary], secondary=state.zones[state.other] or None)

    def _take_role(self, wanted: Wanted) -> None:
        """A replica that shall stand alone is promoted; so is a standby that took over and was interrupted."""
        if wanted.source is None:
            if self.primary.follows:
                # RDS restarts a replica that is promoted: its sessions end.
                with self.endpoint.refusing():
                    self.primary.promote(self.site.passwords)
                self.link(self.state.primary).drop()
                self.tell("The read replica was promoted.", "read replica")
            if wanted.promoting:
                self.report(promoted=True)

    def configure(self, node: str) -> None:
        """Write a node's settings as they are now; it reads them if they are others."""
        server, state = self.nodes[node], self.state
        if self.wanted is None or not server.folder.exists():
            return
        upstream = None
        if node != state.primary:
            upstream = Upstream(self.link(node).port, "")
        elif self.wanted.source is not None:
            upstream = Upstream(self.link(node).port, slot_name(self.key.region, state.resource_id))
        changed = server.configure(
            settings.settings(
                self.wanted.parameters.get(state.group, {}),
                self.site.programs.parameters(),
                self.site.programs.libraries,
            ),
            self.site.passwords,
            upstream=upstream,
            synchronous=[self.standby.server] if state.synchronous and node == state.primary else (),
        )
        if changed and node == state.primary:
            self._looks = _PENDING_LOOKS

    def _tell_group(self, wanted: Wanted) -> None:
        """A group that was changed for another, or a setting that is read at a start, waits for a reboot."""
        if self._looks and wanted.group == self.state.group:
            self._looks -= 1
            self._pending = self._pending_restart()
        pending = self._pending or wanted.group != self.state.group
        status = "pending-reboot" if pending else "in-sync"
        if status != wanted.group_status:
            self.report(group_status=status)

    def _pending_restart(self) -> bool:
        found = self.primary.ask(self.site.passwords, "SELECT EXISTS (SELECT FROM pg_settings WHERE pending_restart)")
        return bool(found[0][0])

    def _put_password(self, wanted: Wanted) -> None:
        if wanted.password_version == self.state.password_version or self.primary.follows:
            return
        if wanted.multi_az and self.standby.server.exists:
            # A commit that waited for a standby that is gone would keep us from seeing to that.
            self.standby.converge(wanted=True)
        verifier = self.primary.verifier(self.site.passwords, wanted.master, wanted.password)
        self.primary.ask(
            self.site.passwords,
            literal("ALTER ROLE {master} PASSWORD {_password}", master=wanted.master, _password=verifier),
        )
        self.state.password_version = wanted.password_version
        self.save()

    def _settle(self, wanted: Wanted) -> None:
        if wanted.status in ("creating", "modifying", "rebooting", "starting", "stopping"):
            self.report(settled=wanted.version)

    def _upstream_of(self, node: str) -> tuple[Place, Address] | None:
        if node != self.state.primary:
            return self.serving()
        found = self.site.find(self.wanted.source) if self.wanted and self.wanted.source else None
        return found.serving() if found else None

    def backup(self, into: Path) -> None:
        """Make a base backup; of one that does not run, a copy. Raises SystemFault when it does not come to be."""
        home, site = self.site.ground.home, self.site
        folder = home.databases("backups", f"{self.key.region}-{self.key.identifier}-{time.monotonic_ns():x}")
        copy = Server(home, site.programs, site.ground.authority, folder, f"{self.key}/backup")
        try:
            if self.primary.pid is not None:
                copy.copy_from(self.primary.port, site.passwords)
            else:
                copy.adopt(self.primary.data)
            into.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(copy.data, into)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _delete(self, wanted: Wanted) -> None:
        if wanted.snapshots:
            return
        self._erase()
        self.site.ground.addresses.forget(database_name(self.key.region, self.key.identifier))
        self.report(gone=True)

    def _erase(self) -> None:
        self.kill()
        self._hang_up()
        shutil.rmtree(self.folder, ignore_errors=True)

    def kill(self) -> None:
        """As hosts that are gone. Safe at any time."""
        for server in self.nodes.values():
            server.kill()

    def lose(self) -> None:
        """The same, and what was being started is gone, too, when this returns."""
        self.kill()
        with self._lock:
            self.kill()

    def crash(self, *, disk: bool = False) -> None:
        """The host of the node that serves fails; with `disk`, nothing is left of what it had."""
        with self._lock:
            self._fail(self.state.primary, disk=disk)

    def crash_in(self, zone: str) -> None:
        """The hosts of its nodes in a zone fail; their disks are out of reach, and whole."""
        with self._lock:
            for node, its in self.state.zones.items():
                if its == zone:
                    self._fail(node, disk=False)

    def _fail(self, node: str, *, disk: bool) -> None:
        server, self._calm_until = self.nodes[node], 0.0
        server.kill()
        if not disk:
            return
        if node == self.state.primary and self.standby.may_take_over and not server.follows:
            # RDS's standby is a mirror of the volume: what was written last is there, too.
            hand_over(self.site.ground.home, server.data, self.standby.server.data)
        server.erase()

    def take_away(self) -> None:
        """Both of its hosts are gone, and nothing of it is healed before `give_back`."""
        self._away = True
        self.lose()
        if self._replicates:
            self.tell("Replication has stopped.", "read replica")
            self.report(replication="error")

    def give_back(self) -> None:
        """They are there again, with their disks."""
        self._away, self._calm_until = False, 0.0

    def close(self) -> None:
        """End its servers, and keep their data. The standby is last: it takes what the primary still has to say."""
        self.endpoint.close()
        self.primary.stop(GRACE_S)
        self.standby.server.stop(GRACE_S)
        self._hang_up()

    def _hang_up(self) -> None:
        self.endpoint.close()
        for node in list(self._links):
            self._links.pop(node).close()

    def tell(self, event: str, category: str) -> None:
        """Have DescribeEvents know of it. No failover waits for an API that does not answer."""
        with contextlib.suppress(SystemFault):
            self.report(event=event, categories=[category])

    def report(self, **said: object) -> None:
        """Tell the API what is so. Raises SystemFault when it is not taken."""
        self.site.ground.api.report(
            "rds.instance",
            self.key.region,
            identifier=self.key.identifier,
            resource_id=self.state.resource_id,
            **said,
        )

    def save(self) -> None:
        """Remember the state."""
        self.state.save(self.folder)
