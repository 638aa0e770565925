"""The fleets' controller: looks at every group of every region, and tells the API what to do next about each.

It launches and ends nothing itself: the API's handlers do, at its word, in one step for a group, so that a group is
never between two states for anybody who looks. It keeps nothing: what it must remember stands in the API.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterable, Mapping

from bicoastal.twin.fleets.decide import decide
from bicoastal.twin.fleets.fleet import Fleet
from bicoastal.twin.fleets.measures import measured
from bicoastal.twin.ground import Ground
from bicoastal.twin.interfaces import How, Measurement


class Fleets:
    """All Auto Scaling groups of a twin."""

    name = "fleets"

    def __init__(self, ground: Ground) -> None:
        """Nothing runs of its own; a loop asks."""
        self.wake: Callable[[], None] = _nobody
        """Called when something is due though the API has not changed: a grace period or a warm-up is over. The loop's
        `poke`; without it the loop's period is how late that is seen."""
        self._ground = ground
        self._lock = threading.Lock()
        self._lost: set[str] = set()
        self._seen: dict[str, Fleet] = {}
        self._alarm: threading.Timer | None = None
        self._alarm_at = math.inf

    def observe(self) -> Mapping[str, Fleet]:
        """The groups by `REGION/NAME`; those of a lost region stay as they are. Raises SystemFault."""
        found: dict[str, Fleet] = {}
        for region in self._ground.regions:
            if region not in self._lost:
                answer = self._ground.api.report("autoscaling.fleets", region)
                for data in answer["fleets"]:
                    fleet = Fleet.read(region, answer["now"], data)
                    found[f"{region}/{fleet.name}"] = fleet
        with self._lock:
            self._seen = found
        return found

    def running(self) -> set[str]:
        """Nothing: a group that is gone has no instances any more."""
        return set()

    def converge(self, key: str, desired: Fleet | None) -> None:  # noqa: ARG002 - a fleet knows its name
        """Take a group's next step. Raises SystemFault when the API does not take it."""
        if desired is None or desired.region in self._lost:
            return
        decision = decide(desired, self._ground.pace)
        if decision.actions:
            self._ground.api.report(
                "autoscaling.act",
                desired.region,
                group=desired.name,
                seen=desired.seen,
                actions=[dict(action) for action in decision.actions],
            )
        self._set_alarm(decision.due)

    def close(self) -> None:
        """Wake nobody any more. Instances are another room's."""
        with self._lock:
            if self._alarm is not None:
                self._alarm.cancel()
            self._alarm = None

    def lose(self, region: str, how: How) -> None:
        """Nothing is launched, ended or measured in the region: its control plane has other worries."""
        del how
        self._lost.add(region)

    def recover(self, region: str) -> None:
        """Its groups are looked after again."""
        self._lost.discard(region)
        self.wake()

    def measurements(self) -> Iterable[Measurement]:
        """What the groups publish each minute, of those metrics that were enabled."""
        with self._lock:
            fleets = [fleet for fleet in self._seen.values() if fleet.region not in self._lost]
        return [measurement for fleet in fleets for measurement in measured(fleet)]

    def _set_alarm(self, due: float) -> None:
        """Wake the loop then, unless it wakes before."""
        with self._lock:
            now = time.time()
            if self._alarm_at <= now:
                self._alarm_at = math.inf
            if due >= self._alarm_at:
                return
            if self._alarm is not None:
                self._alarm.cancel()
            self._alarm_at = due
            self._alarm = threading.Timer(max(due - now, 0) + _AFTER_S, self._ring)
            self._alarm.daemon = True
            self._alarm.start()

    def _ring(self) -> None:
        with self._lock:
            self._alarm_at = math.inf
        self.wake()


_AFTER_S = 0.01
"""A timer that ends a moment early would find that nothing is due yet."""


def _nobody() -> None:
    """Before a loop is there."""
