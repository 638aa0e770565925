"""Route 53's health checkers: ask every endpoint from several places, again and again, and listen to alarms.

AWS has about fifteen checkers in eight regions; here are three, each with an address of its own and its own phase. None
knows of another, and none reuses anything between two probes. All runs on one event loop, which nothing here may block:
what may look at files or the API (whether a connection is admitted, what a metric says) is asked in a thread.
"""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bicoastal.twin.interfaces import INTERNET, Admits, AlarmState
from bicoastal.twin.names import checks as rules
from bicoastal.twin.names.checks import Check, Opinion
from bicoastal.twin.names.probes import Limits, Seen, probe
from bicoastal.twin.pace import Pace

Json = Any

PLACES = ("us-west-1", "eu-west-1", "sa-east-1")
"""Regions of the checkers, where a check asks for no others: none of them is lost with a coast."""
_ALARM_EVERY_S = 10.0
_SETTLED = 3
"""Times its threshold: a check that was probed so often is no new one."""
_NO_NAME = "Failure: DNS resolution failed: Rcode {code}."


@dataclass(frozen=True)
class Observation:
    """What one checker saw last."""

    region: str
    address: str
    text: str
    at: str
    """UTC, as the API writes it."""


@dataclass(frozen=True)
class Surroundings:
    """What checkers need to know of the twin."""

    pace: Pace
    admits: Admits
    alarm_state: AlarmState
    address_of: Callable[[str], str | None]
    """A host's name to its IPv4 address, by the twin's DNS; None where it has none."""
    name_of: Callable[[str], str | None]
    """An address to the thing that has it, as `Admits` knows it."""
    source_of: Callable[[str], str]
    """A checker's region to the address that it connects from; empty: any."""


@dataclass
class _Watch:
    """One check, while it is there."""

    check: Check
    last: bool
    """Its health before inversion."""
    opinions: dict[str, Opinion] = field(default_factory=dict)
    seen: dict[str, Observation] = field(default_factory=dict)
    failures: dict[str, Observation] = field(default_factory=dict)
    counted: dict[str, int] = field(default_factory=dict)
    """By checker, the number of the last probe that was counted."""
    alarm: Mapping[str, object] | None = None
    tasks: list[asyncio.Task[None]] = field(default_factory=list)


class Checkers:
    """All of them; to be used on one event loop only."""

    def __init__(self, surroundings: Surroundings, changed: Callable[[], None], observed: Callable[[], None]) -> None:
        """`changed` is called when a check's health may have changed, `observed` after every probe."""
        self._around = surroundings
        self._limits = Limits.at(surroundings.pace)
        self._changed = changed
        self._observed = observed
        self._watches: dict[str, _Watch] = {}
        self._probes: set[asyncio.Task[None]] = set()

    def watch(
        self, checks: Mapping[str, Check], known: Mapping[str, bool], alarms: Mapping[str, Mapping[str, object]]
    ) -> None:
        """These are the checks. `known` are statuses of an earlier life, `alarms` the settings that checks keep."""
        for id_ in [id_ for id_ in self._watches if id_ not in checks]:
            self._end(self._watches.pop(id_))
        for number, (id_, check) in enumerate(sorted(checks.items())):
            watch = self._watches.get(id_)
            if watch is None:
                before = check.raw(known[id_]) if id_ in known and not check.disabled else True
                watch = self._watches[id_] = _Watch(check, before)
            if watch.check.probed != check.probed or watch.check.regions != check.regions:
                self._end(watch)
            # A change keeps what was counted: Route 53 says nothing of a reset.
            watch.check, watch.alarm = check, alarms.get(id_, watch.alarm)
            if not watch.tasks:
                self._begin(watch, number)
        self._changed()

    def stop(self) -> None:
        """Ask no more."""
        for watch in self._watches.values():
            self._end(watch)
        for task in self._probes:
            task.cancel()

    @property
    def statuses(self) -> dict[str, bool]:
        """Check id to whether it is healthy."""
        checks = {id_: watch.check for id_, watch in self._watches.items()}
        return rules.statuses(checks, {id_: watch.last for id_, watch in self._watches.items()})

    @property
    def settling(self) -> bool:
        """Whether somebody may wait for the first probes of a check to be counted."""
        return any(
            watch.check.probed and sum(watch.counted.values()) < _SETTLED * watch.check.threshold * len(watch.opinions)
            for watch in self._watches.values()
        )

    @property
    def observations(self) -> Json:
        """What GetHealthCheckStatus and GetHealthCheckLastFailureReason answer, by check."""
        return {
            id_: {
                "seen": [each.__dict__ for each in watch.seen.values()],
                "failures": [each.__dict__ for each in watch.failures.values()],
            }
            for id_, watch in self._watches.items()
            if watch.check.kind in rules.ENDPOINT_KINDS
        }

    def _begin(self, watch: _Watch, number: int) -> None:
        if watch.check.probed:
            places = watch.check.regions[: len(PLACES)] or PLACES
            watch.opinions = {place: watch.opinions.get(place) or Opinion(watch.last) for place in places}
            watch.tasks = [
                asyncio.create_task(self._probe_again_and_again(watch, place, position / len(places), number))
                for position, place in enumerate(places)
            ]
        elif watch.check.kind == rules.ALARM and not watch.check.disabled:
            watch.tasks = [asyncio.create_task(self._listen(watch))]

    def _end(self, watch: _Watch) -> None:
        for task in watch.tasks:
            task.cancel()
        watch.tasks = []

    async def _probe_again_and_again(self, watch: _Watch, place: str, phase: float, number: int) -> None:
        interval_s = self._around.pace.seconds(watch.check.interval_s)
        # Checks that were made together are not asked in one breath.
        begun = time.monotonic() + interval_s * phase + interval_s / 97 * (number % 29)
        tick = 0
        while True:
            await asyncio.sleep(max(begun + tick * interval_s - time.monotonic(), 0))
            # One that waits for an endpoint which says nothing holds up no other.
            task = asyncio.create_task(self._probe_once(watch, place, tick))
            self._probes.add(task)
            task.add_done_callback(self._probes.discard)
            # What could not be done in time is left out, not made up for.
            tick = max(tick + 1, int((time.monotonic() - begun) / interval_s))

    async def _probe_once(self, watch: _Watch, place: str, tick: int) -> None:
        seen = await self._look(watch.check, place)
        if tick < watch.counted.get(place, 0) or place not in watch.opinions:
            return  # A later one has been counted.
        watch.counted[place] = tick
        at = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        observation = Observation(place, self._around.source_of(place) or "127.0.0.1", seen.text, at)
        watch.seen[place] = observation
        if not seen.success:
            watch.failures[place] = observation
        watch.opinions[place].see(seen.success, watch.check.threshold)
        self._observed()
        self._became(watch, rules.endpoint_health(watch.opinions.values()))

    async def _look(self, check: Check, place: str) -> Seen:
        address = check.address or self._around.address_of(check.host)
        if address is None:
            return Seen(False, _NO_NAME.format(code="NXDomain(3)"))
        if not ipaddress.ip_address(address).is_loopback:
            return Seen(False, f"Failure: The connection timed out. The twin has no way to {address}.")
        name = self._around.name_of(address)
        if name is not None:
            verdict = await asyncio.to_thread(self._around.admits, INTERNET, name, check.port)
            if not verdict.allowed:
                # A firewall says nothing: the checker waits.
                await asyncio.sleep(self._limits.tcp_s if check.kind == "TCP" else self._limits.connect_s)
                return Seen(False, f"Failure: The connection timed out. Resolved IP: {address}.")
        return await probe(check, address, self._limits, self._around.source_of(place))

    async def _listen(self, watch: _Watch) -> None:
        """Follow the metric, with the settings that the alarm had when the check was made."""
        while True:
            if watch.alarm is not None:
                region = watch.check.alarm[0]
                value = await asyncio.to_thread(self._ask_alarm, region, watch.alarm)
                if value is not None:
                    self._became(watch, rules.alarm_health(watch.check, value, watch.last))
            await asyncio.sleep(self._around.pace.seconds(_ALARM_EVERY_S))

    def _ask_alarm(self, region: str, alarm: Mapping[str, object]) -> rules.AlarmValue | None:
        try:
            return self._around.alarm_state(region, alarm)
        except Exception:
            # Whatever metrics are in trouble with, the check stays what it is.
            return None

    def _became(self, watch: _Watch, health: bool) -> None:
        if health is not watch.last:
            watch.last = health
            self._changed()
