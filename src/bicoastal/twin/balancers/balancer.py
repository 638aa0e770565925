"""One load balancer that runs: its Envoy, the files that it reads, where its ports are, and its targets' states.

Whoever changes something calls `converge` (the API's state), or `publish` (the state of a target): both write files
and nothing restarts for it. What is not admitted goes to a place of the wire that swallows all: a target that no rule
of its group lets in costs the client a timeout, as behind a real security group.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from bicoastal.core.errors import SystemFault
from bicoastal.twin import wire
from bicoastal.twin.addresses import reachable_port
from bicoastal.twin.balancers import listeners, routes, tls
from bicoastal.twin.balancers.desired import Balancer, Group, Listener, Target
from bicoastal.twin.balancers.envoy import Envoy
from bicoastal.twin.balancers.health import INITIAL, Checker, Probe, State, TargetKey
from bicoastal.twin.ground import Ground
from bicoastal.twin.interfaces import INTERNET, Admits, Faltering, balancer_name, instance_name

_FREE_S = 5.0
_BRIEF_S = 1.0
_LOOK_S = 0.01


@dataclass(frozen=True)
class Place:
    """What all load balancers of a twin share."""

    ground: Ground
    admits: Admits
    checker: Checker
    nowhere: wire.Address
    """Takes connections and says nothing: where traffic goes that a firewall drops."""


class Running:
    """One load balancer; safe for threads."""

    def __init__(self, place: Place, region: str, arn: str) -> None:
        self.key = (region, arn)
        self.name = balancer_name(region, arn)
        self.desired: Balancer | None = None
        self._place = place
        self._ground = place.ground
        self._envoy = Envoy(
            place.ground.home, f"{region}/{self.name.rpartition('/')[0].rpartition('/')[2]}", *self._where
        )
        self._lock = threading.RLock()
        self._doors: dict[int, wire.Listener] = {}
        self._routed: dict[str, Group] = {}
        self._halted = False
        self._refused = 0
        self._started_at = 0.0

    @property
    def _where(self) -> tuple[str, str]:
        region, _, name = self.name.removeprefix("balancer/").partition("/")
        return region, name.replace("/", "-")

    @property
    def envoy(self) -> Envoy:
        """Its process."""
        return self._envoy

    @property
    def states(self) -> dict[TargetKey, State]:
        """Of its targets."""
        return self._place.checker.states(self.key)

    def converge(self, desired: Balancer) -> None:
        """Make it what the API says. Raises SystemFault when it cannot be."""
        with self._lock:
            if self._halted:
                return
            self.desired = desired
            self._write()
            if self._envoy.pid is None:
                self._start()
            self._place.checker.watch(self.key, self._probes(desired))
            self.publish()
            self._check()
            if desired.state != "active":
                self._ground.api.report("elbv2.load_balancer", desired.region, arn=desired.arn, state="active")

    def publish(self) -> None:
        """Route by the states of targets as they are now, then tell the API of those that it does not know."""
        with self._lock:
            desired = self.desired
            if desired is None or self._halted:
                return
            states = self.states
            for group in desired.groups.values():
                self._write_endpoints(group, states)
            for group in desired.groups.values():
                self._report(desired, group, states)

    def revive(self) -> None:
        """Start what has ended by itself. Raises SystemFault when it does not run.

        One that ended as soon as it began is left to the next round: there would be no end of it.
        """
        with self._lock:
            if time.monotonic() - self._started_at < _BRIEF_S:
                return
            if not self._halted and self.desired is not None and self._envoy.pid is None:
                self._start()

    def lose(self, how: str) -> None:
        """Its hosts are gone: they refuse, or say nothing any more. Nothing is checked or reported meanwhile."""
        with self._lock:
            self._halted = True
            self._place.checker.watch(self.key, {})
            if how == "refuse":
                self._close_doors()
                self._envoy.kill()
            else:
                self._envoy.freeze()

    def falter(self, how: Faltering) -> None:
        """Answer so from now on, also after a new start. Raises OSError where it cannot be told."""
        with self._lock:
            self._envoy.set_runtime(listeners.faltering(how))

    def recover(self) -> None:
        """As after a power cut. Raises SystemFault when it does not start."""
        with self._lock:
            self._envoy.kill()
            self._halted = False
            if self.desired is not None:
                self.converge(self.desired)

    def close(self) -> None:
        """End it."""
        with self._lock:
            self._halted = True
            self._place.checker.watch(self.key, {})
            self._close_doors()
            self._envoy.stop()

    def _check(self) -> None:
        """Whether Envoy took what was written before this round. Raises SystemFault when it did not."""
        with contextlib.suppress(OSError):
            before, self._refused = self._refused, self._envoy.refused()
            if self._refused > before:
                raise SystemFault(
                    f"{self.name}: Envoy refused a part of its configuration.\n"
                    f"    -> See {self._envoy.log}: what was changed last holds something that it does not know."
                )

    def _start(self) -> None:
        self._refused = 0
        self._started_at = time.monotonic()
        self._envoy.start()
        pid = self._envoy.pid
        if pid is not None:
            self._place.checker.tell_at_end(pid, self.key)

    # Files

    def _write(self) -> None:
        """Targets before what names them, and target groups before rules that name them: nobody meets a gap."""
        desired, pace, folder = self._known(), self._ground.pace, self._envoy.folder
        states = self.states
        for group in desired.groups.values():
            self._write_endpoints(group, states)
        union = {**self._routed, **desired.groups}
        self._envoy.write(
            "clusters.json", *(listeners.cluster(desired, group, pace, folder) for group in union.values())
        )
        for item in desired.listeners:
            self._envoy.write(f"routes-{item.port}.json", routes.table(desired, item, pace))
        self._write_listeners(desired)
        if self._routed.keys() - desired.groups.keys():
            kept = [listeners.cluster(desired, group, pace, folder) for group in desired.groups.values()]
            self._envoy.write("clusters.json", *kept)
        for arn in self._routed.keys() - desired.groups.keys():
            self._envoy.forget(listeners.endpoints_file(self._routed[arn]))
        self._routed = dict(desired.groups)

    def _write_listeners(self, desired: Balancer) -> None:
        opened: list[Listener] = []
        closed: list[Listener] = []
        for item in desired.listeners:
            admitted = self._place.admits(INTERNET, self.name, item.port).allowed
            (opened if admitted and desired.scheme == "internet-facing" else closed).append(item)
        inside = desired.scheme != "internet-facing"
        for port in self._doors.keys() - {reachable_port(item.port) for item in closed}:
            self._doors.pop(port).close()
        served = closed if inside else opened
        self._envoy.write("listeners.json", *(self._listener(desired, item, inside=inside) for item in served))
        for item in closed:
            self._shut(item, desired)

    def _listener(self, desired: Balancer, item: Listener, *, inside: bool) -> routes.Json:
        ground, folder = self._ground, self._envoy.folder
        address = self._inner_address() if inside else ground.addresses.of(self.name)
        certificate: tuple[Path, Path] | None = None
        if item.protocol == "HTTPS":
            names = tls.names_of(item.names, ground.addresses.of(self.name), desired.dns)
            issuer = str(ground.authority.certificate.stat().st_mtime_ns)
            certificate = tls.certificate(ground.authority, ground.home.account, folder, names, issuer)
        return listeners.listener(desired, item, listeners.Served(address, certificate, folder), ground.pace)

    def _inner_address(self) -> str:
        return self._ground.addresses.of(f"{self.name}/inside")

    def _shut(self, item: Listener, desired: Balancer) -> None:
        """Put a door in front of a port that not everybody may reach."""
        port = reachable_port(item.port)
        if port in self._doors:
            return
        address = (self._ground.addresses.of(self.name), port)
        end = time.monotonic() + _FREE_S
        while True:
            with contextlib.suppress(SystemFault):
                self._doors[port] = self._ground.wire.listen(address, self._router(item.port, desired.region))
                return
            if time.monotonic() > end:
                raise SystemFault(f"{self.name}: {address[0]}:{port} is not let go.\n    -> End what listens there.")
            # Envoy lets a port go a moment after it was told.
            time.sleep(_LOOK_S)

    def _router(self, port: int, region: str) -> wire.Router:
        """Who may come in: nobody from the internet, to a load balancer that is internal or whose group says no."""

        def route(peer: wire.Address) -> wire.Route | wire.Cut:
            desired = self.desired
            owner = self._ground.caller(peer)
            if desired is None or desired.scheme == "internet-facing" or not owner:
                return "black-hole"
            if not self._place.admits(owner, self.name, port).allowed:
                return "black-hole"
            here = wire.Place(region)
            return wire.Route(here, here, (self._inner_address(), reachable_port(port)))

        return route

    def _close_doors(self) -> None:
        for door in self._doors.values():
            door.close()
        self._doors = {}

    # Targets

    def _probes(self, desired: Balancer) -> dict[TargetKey, Probe]:
        found = {}
        for group in desired.groups.values():
            for target in group.targets:
                port = target.port if group.check.port == "traffic-port" else int(group.check.port)
                found[group.arn, target.key] = Probe(
                    group.check,
                    self._address(desired.region, group, target),
                    reachable_port(port),
                    lambda target=target, port=port: self._admitted(desired.region, target, port),  # type: ignore[misc]
                )
        return found

    def _address(self, region: str, group: Group, target: Target) -> str:
        if group.target_type == "ip":
            return target.id
        return self._ground.addresses.of(instance_name(region, target.id))

    def _admitted(self, region: str, target: Target, port: int) -> bool:
        return self._place.admits(self.name, instance_name(region, target.id), port).allowed

    def _write_endpoints(self, group: Group, states: Mapping[TargetKey, State]) -> None:
        """Healthy targets; all of them when none is: ALB fails open."""
        region = self._known().region
        healthy = [item for item in group.targets if states.get((group.arn, item.key), INITIAL)["State"] == "healthy"]
        addresses = [
            (self._address(region, group, item), reachable_port(item.port))
            if self._admitted(region, item, item.port)
            else self._place.nowhere
            for item in healthy or group.targets
        ]
        # The same address twice would be one endpoint to Envoy.
        self._envoy.write(listeners.endpoints_file(group), listeners.endpoints(group, dict.fromkeys(addresses)))

    def _report(self, desired: Balancer, group: Group, states: Mapping[TargetKey, State]) -> None:
        said = {
            key: dict(state)
            for (arn, key), state in states.items()
            if arn == group.arn and dict(group.reported.get(key, {})) != dict(state)
        }
        if said:
            self._ground.api.report("elbv2.target_health", desired.region, group=group.arn, targets=said)
        over = []
        for key, since in group.draining.items():
            left = since + self._ground.pace.seconds(group.deregistration_s) - time.time()
            if left <= 0:
                over.append(key)
            else:
                self._place.checker.tell_in(left, self.key)
        if over:
            self._ground.api.report("elbv2.drained", desired.region, group=group.arn, targets=over)
        if said or over:
            remaining = {key: since for key, since in group.draining.items() if key not in over}
            known = replace(group, reported={**group.reported, **said}, draining=remaining)
            self.desired = replace(self._known(), groups={**self._known().groups, group.arn: known})

    def _known(self) -> Balancer:
        if self.desired is None:
            raise RuntimeError(f"{self.name} was not converged before")
        return self.desired


def ended(running: Running) -> None:
    """Start what ended and publish; a fault is left to the loop, which tries again and shows it."""
    with contextlib.suppress(SystemFault):
        running.revive()
        running.publish()
