"""The balancers' controller: every Application Load Balancer of the API is an Envoy.

Its one question gives all that the API says of a region's load balancers, so that a round costs a call for each region,
whatever has changed. States of targets are found between rounds by the checker's thread, and published at once by
another. A lost region's load balancers are not touched until it recovers.
"""

from __future__ import annotations

import contextlib
import shutil
import threading
from collections.abc import Hashable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from bicoastal.core.errors import SystemFault
from bicoastal.twin import wire
from bicoastal.twin.balancers.access import AccessLog
from bicoastal.twin.balancers.balancer import Place, Running, ended
from bicoastal.twin.balancers.desired import Balancer, balancers
from bicoastal.twin.balancers.envoy import REQUESTS, find_program
from bicoastal.twin.balancers.health import Checker
from bicoastal.twin.balancers.traffic import Log, Minute
from bicoastal.twin.ground import Ground
from bicoastal.twin.interfaces import Admits, Faltering, How, Measurement, admits_everything, balancer_name

Key = tuple[str, str]
"""Region and ARN."""

_MUCH_BYTES = 256 << 10


class Balancers:
    """All load balancers of a twin."""

    name = "balancers"

    def __init__(self, ground: Ground, admits: Admits = admits_everything) -> None:
        """Raises SystemFault, in one line and a remedy, when there is no Envoy."""
        find_program(ground.home)
        self._ground = ground
        self._lock = threading.Lock()
        self._running: dict[Key, _Watched] = {}
        self._lost: dict[str, How] = {}
        self._checker = Checker(ground.pace, self._changed)
        self._nowhere = ground.wire.listen((ground.addresses.of("balancers/nowhere"), 0), _swallow)
        self._place = Place(ground, admits, self._checker, self._nowhere.address)
        self._publisher = ThreadPoolExecutor(1, "twin-balancers-publisher")
        self._dirty: set[Hashable] = set()
        self._observed: Mapping[Key, Balancer] = {}

    def observe(self) -> Mapping[Key, Balancer]:
        """What the API has, region by region."""
        found: dict[Key, Balancer] = {}
        for region in self._ground.regions:
            everything = self._ground.api.report("elbv2.everything", region)
            found.update({(region, item.arn): item for item in balancers(region, everything)})
        self._observed = found
        return found

    def running(self) -> set[Key]:
        """Those that there are."""
        with self._lock:
            return set(self._running)

    def converge(self, key: Key, desired: Balancer | None) -> None:
        """Start, change or end one."""
        if key[0] in self._lost:
            return
        if desired is None:
            self._remove(key)
            return
        with self._lock:
            if key not in self._running:
                self._running[key] = _Watched(self._ground, Running(self._place, *key))
            watched = self._running[key]
        while True:
            watched.running.converge(desired)
            newest = self._observed.get(key)
            if newest is None or newest is desired:
                break
            # It was observed meanwhile, and the loop does not come again for what it saw being worked on.
            desired = newest
        watched.collect()

    def measurements(self) -> Iterable[Measurement]:
        """Of the minute that has ended; none of a region that is lost."""
        with self._lock:
            all_of_them = [item for key, item in self._running.items() if key[0] not in self._lost]
        for watched in all_of_them:
            yield from watched.measurements()

    def lose(self, region: str, how: How) -> None:
        """Its load balancers refuse, or say nothing any more."""
        self._lost[region] = how
        for watched in self._of(region):
            watched.running.lose(how)

    def recover(self, region: str) -> None:
        """Its load balancers come back as after a power cut."""
        self._lost.pop(region, None)
        for watched in self._of(region):
            # What does not start is tried again by the loop, which also shows why.
            with contextlib.suppress(SystemFault):
                watched.running.recover()

    def falter(self, region: str, how: Faltering) -> None:
        """Its load balancers answer so. Raises SystemFault where one cannot be told."""
        for watched in self._of(region):
            try:
                watched.running.falter(how)
            except OSError as error:
                raise SystemFault(f"{watched.running.name} cannot be made to falter: {error}") from error

    def close(self) -> None:
        """End all of them."""
        self._checker.close()
        self._publisher.shutdown(wait=True, cancel_futures=True)
        with self._lock:
            all_of_them, self._running = list(self._running.values()), {}
        for watched in all_of_them:
            watched.running.close()
        # The wire may have been stopped before us.
        with contextlib.suppress(Exception):
            self._nowhere.close()

    def _of(self, region: str) -> list[_Watched]:
        with self._lock:
            return [item for key, item in self._running.items() if key[0] == region]

    def _remove(self, key: Key) -> None:
        with self._lock:
            watched = self._running.get(key)
        if watched is not None:
            watched.running.close()
            watched.ship()
            shutil.rmtree(watched.running.envoy.folder, ignore_errors=True)
        with self._lock:
            self._running.pop(key, None)
        for name in (balancer_name(*key), f"{balancer_name(*key)}/inside"):
            self._ground.addresses.forget(name)

    def _changed(self, key: Hashable) -> None:
        """In the checker's thread: have it published by another, once, however much has changed."""
        if key in self._dirty:
            return
        self._dirty.add(key)
        with contextlib.suppress(RuntimeError):  # closed
            self._publisher.submit(self._publish, key)

    def _publish(self, key: Any) -> None:
        self._dirty.discard(key)
        with self._lock:
            watched = self._running.get(key)
        if watched is not None:
            ended(watched.running)


class _Watched:
    """A load balancer, and what its log says."""

    def __init__(self, ground: Ground, running: Running) -> None:
        self.running = running
        self._lock = threading.Lock()
        envoy = running.envoy
        self._log = Log(envoy.folder / REQUESTS, envoy.reopen_logs)
        self._minute = Minute()
        self._access = AccessLog(ground, envoy.folder / "access.log")

    def collect(self, least: int = _MUCH_BYTES) -> None:
        """Read the log if there is much of it, and ship the access log if it is time."""
        with self._lock:
            desired = self.running.desired
            if desired is None:
                return
            if self._log.waiting >= least:
                for record in self._log.read():
                    self._minute.add(record)
                    self._access.add(desired, record)
            self._count(desired)
            self._access.ship_when_due(desired)

    def _count(self, desired: Balancer) -> None:
        """The targets of each group, in their states."""
        states = self.running.states
        for group in desired.groups.values():
            found = [state["State"] for (arn, _), state in states.items() if arn == group.arn]
            if found:
                self._minute.hosts(group.name, found.count("healthy"), found.count("unhealthy"))

    def ship(self) -> None:
        """What is left of the access log, at the end."""
        desired = self.running.desired
        if desired is not None:
            self.collect(0)
            with contextlib.suppress(SystemFault):
                self._access.ship(desired)

    def measurements(self) -> Iterable[Measurement]:
        """And begin the next minute."""
        desired = self.running.desired
        if desired is None:
            return
        self.collect(0)
        with self._lock:
            minute, self._minute = self._minute, Minute()
        acl = desired.web_acl or {}
        yield from minute.measurements(
            desired.region, desired.name, acl.get("VisibilityConfig", {}).get("MetricName", "")
        )
        with contextlib.suppress(OSError):
            if open_connections := self.running.envoy.open_connections():
                yield Measurement(
                    desired.region,
                    "AWS/ApplicationELB",
                    "ActiveConnectionCount",
                    {"LoadBalancer": desired.name},
                    "Count",
                    value=float(open_connections),
                )


def _swallow(peer: wire.Address) -> wire.Cut:
    del peer
    return "black-hole"
