"""The drill's hand on the twin: takes regions, ways between them and single hosts away, and gives them back.

It composes what is there: rooms lose their hosts, the wire is cut, the API's gateway refuses or hangs. It heals nothing
and measures nothing. The twin's own controllers are AWS from within: their calls meet no fault of the API.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from typing import Protocol, runtime_checkable

from bicoastal.aws.faults import aws_faults
from bicoastal.core.errors import SystemFault
from bicoastal.twin.cloud.gateway import Fault
from bicoastal.twin.cloud.process import ask
from bicoastal.twin.ground import Ground
from bicoastal.twin.interfaces import Faltering, How, Losable

_ALL_PERCENT = 100
_KINDS: Mapping[How, str] = {"refuse": "refuse", "black-hole": "hang"}


@runtime_checkable
class Crashes(Protocol):
    """A room of which one host can fail: `instances` and `databases` are."""

    name: str

    def crash(self, region: str, id_: str) -> None:
        """Its programs are gone, at once. What AWS does about it, the room does."""


@runtime_checkable
class Stores(Crashes, Protocol):
    """The room of the databases: what else can become of their hosts."""

    def wreck(self, region: str, id_: str) -> None:
        """As `crash`, and the disk is gone, too."""

    def take_away(self, region: str, id_: str) -> None:
        """All hosts of one are gone, and stay away."""

    def give_back(self, region: str, id_: str) -> None:
        """They are there again, with their disks."""

    def lose_zone(self, region: str, zone: str) -> None:
        """Its hosts in an Availability Zone are gone."""

    def recover_zone(self, region: str, zone: str) -> None:
        """The zone takes hosts again."""


@runtime_checkable
class Falters(Protocol):
    """A room whose things can answer badly: `balancers`."""

    def falter(self, region: str, how: Faltering) -> None:
        """From now on they answer so."""


@dataclass(frozen=True)
class Act:
    """What was done, and when: seconds since the epoch."""

    what: str
    began: float
    ended: float


class Faults:
    """One for a twin; safe for threads."""

    def __init__(self, ground: Ground, rooms: Iterable[Losable]) -> None:
        """`rooms` are all that have hosts in regions."""
        self._ground = ground
        self._rooms = tuple(rooms)
        self._lock = threading.Lock()
        self._lost: dict[str, How] = {}
        self._zones: set[tuple[str, str]] = set()
        self._away: set[tuple[str, str]] = set()
        self._partitions: dict[tuple[str, str], How] = {}
        self._cuts: dict[tuple[str, str], How] = {}
        self._faltering: set[str] = set()
        self._failing: dict[str, tuple[Fault, ...]] = {}
        self._told: list[dict[str, object]] = []
        self._acts: list[Act] = []

    @property
    def lost(self) -> Mapping[str, How]:
        """The regions that are."""
        return dict(self._lost)

    @property
    def lost_zones(self) -> Sequence[tuple[str, str]]:
        """Region and Availability Zone of those that are."""
        return sorted(self._zones)

    @property
    def partitions(self) -> Mapping[tuple[str, str], How]:
        """The ways that were cut by themselves: from where to where."""
        return dict(self._partitions)

    @property
    def acts(self) -> Sequence[Act]:
        """All that was done, in order."""
        return tuple(self._acts)

    def lose_region(self, region: str, how: How) -> Act:
        """Its hosts, the ways to and from it, and its API are gone, all at once.

        With us-east-1 go the control planes of IAM and Route 53: the gateway knows that theirs are there. Raises
        ValueError for a region that the twin does not have, SystemFault when a part of it could not be taken.
        """
        self._check(region)

        def lose() -> None:
            self._lost[region] = how
            self._all_at_once(
                self._put_cuts,
                partial(self._put_faults, region, [Fault(_KINDS[how], region=region)]),
                *[partial(room.lose, region, how) for room in self._rooms],
            )

        return self._act(f"{region} is lost ({how})", lose)

    def recover_region(self, region: str) -> Act:
        """It is there again: the ways and the API first, so that hosts that come back find them. Raises SystemFault."""
        self._check(region)

        def recover() -> None:
            self._lost.pop(region, None)
            self._put_cuts()
            self._put_faults(region, ())
            self._all_at_once(*[partial(room.recover, region) for room in self._rooms])

        return self._act(f"{region} is there again", recover)

    def lose_zone(self, region: str, zone: str) -> Act:
        """The hosts of an Availability Zone are gone, and EC2 finds none there for new instances.

        Of a DB instance the node is lost that stands there: for a primary its standby takes over, and a new standby is
        made in another zone of the subnet group. A load balancer here is one process, without nodes in zones: it
        stays, as users of AWS's see it a minute later. Raises ValueError, SystemFault.
        """
        self._check(region)
        if not zone.startswith(region):
            raise ValueError(f"{zone} is no Availability Zone of {region}")

        def lose() -> None:
            self._zones.add((region, zone))
            self._ground.api.report("ec2.zone", region, zone=zone, lost=True)
            instances = [room for room in self._rooms if isinstance(room, Crashes) and room.name == "instances"]
            self._all_at_once(
                *[partial(room.lose_zone, region, zone) for room in self._stores()],
                *[partial(room.crash, region, id_) for room in instances for id_ in self._instances_in(region, zone)],
            )

        return self._act(f"{zone} is lost", lose)

    def recover_zone(self, region: str, zone: str) -> Act:
        """Instances can be launched there again. Those that failed do not come back: their group has replaced them."""
        self._check(region)

        def recover() -> None:
            self._zones.discard((region, zone))
            self._recover_zone(region, zone)

        return self._act(f"{zone} is there again", recover)

    def partition(self, source: str, destination: str, how: How, *, both: bool = True) -> Act:
        """Cut the way between two regions; `both` ways, or what goes from the source alone. Raises ValueError."""
        self._check(source, destination)
        ways = [(source, destination), *([(destination, source)] if both else [])]

        def cut() -> None:
            self._partitions |= dict.fromkeys(ways, how)
            self._put_cuts()

        arrow = "and" if both else "to"
        return self._act(f"the way from {source} {arrow} {destination} is cut ({how})", cut)

    def heal(self, source: str, destination: str) -> Act:
        """Undo the former, in both ways. A region that is lost stays cut off."""
        self._check(source, destination)

        def heal() -> None:
            for way in ((source, destination), (destination, source)):
                self._partitions.pop(way, None)
            self._put_cuts()

        return self._act(f"the way between {source} and {destination} is whole again", heal)

    def falter(self, region: str, how: Faltering) -> Act:
        """A region is there, but its load balancers answer late, or answer a part of all requests 503.

        `Faltering()` is as it was. Health checkers meet it as users do; the balancers' own checks of targets do not.
        Raises SystemFault where they cannot be told, ValueError for a share that is none.
        """
        self._check(region)
        if not (0 <= how.slow_percent <= _ALL_PERCENT and 0 <= how.fail_percent <= _ALL_PERCENT and how.slow_s >= 0):
            raise ValueError(f"{how} has a share that is none: give percents from 0 to 100 and seconds from 0")

        def falter() -> None:
            (self._faltering.discard if how == Faltering() else self._faltering.add)(region)
            self._all_at_once(*[partial(room.falter, region, how) for room in self._rooms if isinstance(room, Falters)])

        said = f"{how.slow_s:g} s late ({how.slow_percent} %), {how.fail_percent} % answered 503"
        return self._act(f"{region} falters: {said}" if how != Faltering() else f"{region} answers well", falter)

    def fail_api(self, *faults: Fault) -> Act:
        """Have calls of the API fail so, in place of what was asked for by an earlier call of this; none: as it was."""
        said = ", ".join(f"{fault.kind} {fault.service}:{fault.action} in {fault.region}" for fault in faults)
        return self._act(f"the API fails: {said or 'no more'}", lambda: self._put_faults("", faults))

    def kill_instance(self, region: str, id_: str) -> Act:
        """The host of an EC2 instance fails. Raises SystemFault where no room has such hosts."""
        self._check(region)
        crash = partial(self._room("instances").crash, region, id_)
        return self._act(f"the host of {id_} in {region} fails", crash)

    def kill_database_primary(self, region: str, identifier: str, *, disk: bool = False) -> Act:
        """The host on which a DB instance's primary runs fails, with its `disk` or without; its standby's does not.

        Raises SystemFault as above.
        """
        self._check(region)
        room = self._room("databases")
        if disk and not isinstance(room, Stores):
            raise SystemFault("no disk of the databases can be made to fail: their room has no way to do it")
        crash = partial(room.wreck if disk and isinstance(room, Stores) else room.crash, region, identifier)
        what = "host and disk" if disk else "host"
        return self._act(f"the {what} of the primary of {identifier} in {region} fail{'' if disk else 's'}", crash)

    def take_database(self, region: str, identifier: str) -> Act:
        """All hosts of a DB instance, its standby's too, are gone until they are given back. Raises SystemFault."""
        self._check(region)

        def take() -> None:
            self._away.add((region, identifier))
            self._all_at_once(*[partial(room.take_away, region, identifier) for room in self._stores()])

        return self._act(f"the hosts of {identifier} in {region} are gone", take)

    def give_database(self, region: str, identifier: str) -> Act:
        """They are there again, with their disks. Raises SystemFault."""
        self._check(region)

        def give() -> None:
            self._away.discard((region, identifier))
            for room in self._stores():
                room.give_back(region, identifier)

        return self._act(f"the hosts of {identifier} in {region} are there again", give)

    def undo(self) -> Act:
        """Give back everything that was taken: regions, ways, the API. Raises SystemFault."""

        def give_back() -> None:
            lost, zones = list(self._lost), list(self._zones)
            self._lost.clear()
            self._zones.clear()
            for region, zone in zones:
                self._recover_zone(region, zone)
            away, self._away = self._away, set()
            for region, identifier in away:
                for room in self._stores():
                    room.give_back(region, identifier)
            self._partitions.clear()
            self._put_cuts()
            faltering, self._faltering = self._faltering, set()
            for region in faltering:
                for balancing in self._rooms:
                    if isinstance(balancing, Falters):
                        balancing.falter(region, Faltering())
            self._failing.clear()
            self._put_faults("", ())
            self._all_at_once(*[partial(room.recover, region) for region in lost for room in self._rooms])

        return self._act("everything is there again", give_back)

    def _instances_in(self, region: str, zone: str) -> list[str]:
        where = [
            {"Name": "availability-zone", "Values": [zone]},
            {"Name": "instance-state-name", "Values": ["pending", "running"]},
        ]
        with aws_faults(f"reading the instances of {zone}"):
            found = self._ground.api.client("ec2", region).describe_instances(Filters=where)["Reservations"]
        return [instance["InstanceId"] for item in found for instance in item["Instances"]]

    def _recover_zone(self, region: str, zone: str) -> None:
        self._ground.api.report("ec2.zone", region, zone=zone, lost=False)
        for room in self._stores():
            room.recover_zone(region, zone)

    def _stores(self) -> list[Stores]:
        return [room for room in self._rooms if isinstance(room, Stores)]

    def _room(self, name: str) -> Crashes:
        for room in self._rooms:
            if isinstance(room, Crashes) and room.name == name:
                return room
        raise SystemFault(f"no host of the {name} can be made to fail alone: their room has no way to do it")

    def _check(self, *regions: str) -> None:
        unknown = [region for region in regions if region not in self._ground.regions]
        if unknown:
            raise ValueError(f"{unknown[0]} is no region of this twin: it has {', '.join(self._ground.regions)}")

    def _act(self, what: str, do: Callable[[], None]) -> Act:
        with self._lock:
            began = time.time()
            try:
                do()
            finally:
                act = Act(what, began, time.time())
                self._acts.append(act)
            return act

    def _put_cuts(self) -> None:
        """The wire as it should be now: a lost region has no way to or from it."""
        regions = self._ground.regions
        wanted = dict(self._partitions)
        for lost, how in self._lost.items():
            for other in regions:
                if other != lost:
                    wanted[lost, other] = wanted[other, lost] = how
        wire, was = self._ground.wire, self._cuts
        self._cuts = wanted
        for way in was:
            if way not in wanted:
                wire.heal(*way)
        for way, how in wanted.items():
            if was.get(way) != how:
                wire.cut(*way, how)

    def _put_faults(self, reason: str, faults: Iterable[Fault]) -> None:
        """Tell the gateway all that holds now: it takes the whole list, and keeps what others have put into it."""
        endpoint = self._ground.api.endpoint
        self._failing = {**self._failing, reason: tuple(faults)}
        wanted = [asdict(fault) for of in self._failing.values() for fault in of]
        try:
            others = [fault for fault in ask(endpoint, "faults") if fault not in self._told]
            ask(endpoint, "faults", [*wanted, *others])
            self._told = wanted
        except OSError as error:
            raise SystemFault(f"the twin's control plane does not take faults: {error}") from error

    def _all_at_once(self, *parts: Callable[[], None]) -> None:
        """All of them, whatever becomes of one. Raises SystemFault that names what failed."""
        if not parts:
            return
        with ThreadPoolExecutor(len(parts), "twin-fault") as pool:
            done = [pool.submit(part) for part in parts]
        failed = [error for error in (future.exception() for future in done) if error is not None]
        if failed:
            raise SystemFault("not all of it could be done: " + "; ".join(str(error) for error in failed)) from failed[
                0
            ]
