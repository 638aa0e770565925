"""Looks at both coasts for as long as somebody watches, and says what is new. Nobody watching costs nothing.

Each look has a thread of its own: a region that hangs holds up nothing but what is said of itself. How often one looks
follows from what it costs. A hint that something has changed, where there is one, makes a look come at once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any, Protocol

from bicoastal.aws.session import Session
from bicoastal.core.errors import BicoastalError
from bicoastal.operate import kit
from bicoastal.operate.lag import lag_of
from bicoastal.operate.sight import Gate, Kit, Side
from bicoastal.operate.standing import Region, Standing, judged, newest_backup
from bicoastal.operate.subject import Subject
from bicoastal.operate.watch import events
from bicoastal.operate.watch.checks import Check, Definitions, checks, definitions
from bicoastal.operate.watch.coast import Coast, Ground, Look, look, survey
from bicoastal.operate.watch.events import Event
from bicoastal.operate.watch.figures import Clock, Figures, figures
from bicoastal.operate.watch.task import Task

SILENT_S = 3.0
"""After so long without an answer a region is said not to answer."""
_STACKS_S = 20.0
_BACKUPS_S = 60.0
_KIT_S = 60.0
_KIT_BUSY_S = 4.0
_DEFINITIONS_S = 30.0
_FIGURES_S = 5.0
_GAP_S = 0.35
"""Between two looks, however much changes: 5 % of a core is what watching may cost."""
_SIDE_S = 1.0


class Tell(Protocol):
    """Where news go."""

    def put(self, section: str, data: Any) -> None:
        """A part of the picture as it is now; told on only where it differs from what it was."""

    def seen(self, region: str, at: float) -> None:
        """A region answered."""

    def happened(self, event: Event) -> None:
        """Something has changed."""


Hint = Callable[[int, float], int]
"""A number and how long to wait to a higher one as soon as something has changed, or the same when the time is over.
Raises OSError."""
Extra = Callable[[], Any]
Users = Callable[[Mapping[str, str]], Mapping[str, Mapping[str, int] | None]]
"""The balancers' names by region, to how many answers lead users of a coast to which region; None: not known."""


@dataclass(frozen=True)
class Rhythm:
    """How often what is looked at."""

    look_s: float = 2.0
    """At each region and the health checks, where nothing hints at a change."""
    clock: Clock = field(default_factory=Clock)
    hint: Hint | None = None


class Watcher:
    """One for a deployment. `start` and `stop` may be called again and again."""

    def __init__(
        self,
        session: Session,
        subject: Subject,
        tell: Tell,
        rhythm: Rhythm,
        *,
        users: Users | None = None,
        extras: Mapping[str, Extra] | None = None,
    ) -> None:
        """`extras` are parts of the picture that no AWS API has: each is asked once a second."""
        self._session, self._subject, self._tell, self._rhythm = session, subject, tell, rhythm
        self._users, self._extras = users, dict(extras or {})
        self._lock = threading.Lock()
        self._tasks: list[Task] = []
        self._grounds: dict[str, Ground] = {}
        self._looks: dict[str, Look] = {}
        self._kits: dict[str, tuple[Kit | None, str]] = {}
        self._lags: dict[str, float | None] = {}
        self._defined = Definitions({}, {})
        self._defined_at = 0.0
        self._backups: dict[str, tuple[datetime | None, str, float]] = {}
        self._checks: list[Check] | None = None
        self._standing: Standing | None = None
        self._sent_to: Mapping[str, str | None] | None = None
        self._was_known = False
        self.busy = False
        """An operation is under way: what is asked seldom is asked more often."""

    def prepare(self) -> None:
        """One look at everything but figures and kits: clients are made, so that the first picture is soon there."""
        for region in self._subject.regions:
            self._survey(region)
            self._look(region)
        self._look_at_checks()

    def start(self) -> None:
        """Begin to look; nothing happens where it has begun already."""
        with self._lock:
            if self._tasks:
                return
            self._tasks = self._made()
        for task in self._tasks:
            task.start()

    def stop(self) -> None:
        """Look no more. A question that is under way ends by itself."""
        with self._lock:
            tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.stop()

    def again(self) -> None:
        """Look at everything now, the kits included."""
        for task in list(self._tasks):
            task.wake()

    def _made(self) -> list[Task]:
        rhythm, tasks = self._rhythm, []
        # With a hint, a look without one is for what the hint does not know.
        look_s = rhythm.look_s if rhythm.hint is None else 1.5 * rhythm.look_s
        for region in self._subject.regions:
            figures_s = max(rhythm.clock.step_s, _FIGURES_S)
            tasks += [
                Task(f"look {region}", partial(self._look, region), look_s, _GAP_S),
                Task(f"stacks {region}", partial(self._survey, region), _STACKS_S, _SIDE_S),
                Task(f"kit {region}", partial(self._ask_kit, region), _KIT_S, _KIT_BUSY_S),
                Task(f"figures {region}", partial(self._measure, region), figures_s, _SIDE_S),
            ]
        tasks += [
            Task("checks", self._look_at_checks, look_s, _GAP_S),
            Task("beside", self._look_beside, _SIDE_S, _GAP_S),
        ]
        if rhythm.hint is not None:
            tasks.append(Task("hints", self._await_change(rhythm.hint), 0.0, 0.0))
        return tasks

    def _wake(self, *beginnings: str) -> None:
        for task in list(self._tasks):
            if task.name.startswith(beginnings):
                task.wake()

    def _await_change(self, hint: Hint) -> Callable[[], None]:
        number = 0

        def wait() -> None:
            nonlocal number
            try:
                now = hint(number, 2.0)
            except OSError:
                time.sleep(_SIDE_S)
                return
            if now != number:
                number = now
                self._wake("look", "checks")

        return wait

    # What is looked at.

    def _look(self, region: str) -> None:
        try:
            now = look(self._session, self._subject, region, self._grounds.get(region) or self._surveyed(region))
        except BicoastalError as error:
            self._is_silent(region, str(error).splitlines()[0])
            return
        # Meanwhile it may have been said to be silent.
        before = self._looks.get(region)
        self._looks[region] = now
        self._tell.seen(region, now.coast.at)
        was = before.coast if before else None
        if was is None or replace(was, at=0) != replace(now.coast, at=0):
            self._put_coast(was, now.coast)
            if was is not None and _roles(was) != _roles(now.coast):
                self._wake(f"stacks {region}", "kit")
        self._judge()

    def _is_silent(self, region: str, why: str) -> None:
        before = self._looks.get(region)
        was = before.coast if before else Coast(region, True, "", 0.0)
        if not was.answered:
            return
        # What was seen last stays, to be shown as what it is: what was seen last.
        now = replace(was, answered=False, why=why)
        self._looks[region] = Look(now, None, before.gate) if before else Look(now, None, Gate.UNKNOWN)
        self._put_coast(was, now)
        self._judge()

    def _put_coast(self, before: Coast | None, now: Coast) -> None:
        self._tell.put(f"coast/{now.region}", now)
        for event in events.of_coast(before, now, self._subject.prefix):
            self._tell.happened(event)

    def _surveyed(self, region: str) -> Ground:
        self._grounds[region] = survey(self._session, self._subject, region)
        return self._grounds[region]

    def _survey(self, region: str) -> None:
        try:
            ground = self._surveyed(region)
            self._tell.put(
                f"stacks/{region}",
                {kind: {"status": view.status, "good": view.good} for kind, view in ground.stacks.items()},
            )
            at, unknown, asked = self._backups.get(region, (None, "", 0.0))
            if time.monotonic() - asked > _BACKUPS_S or not asked:
                at, unknown = newest_backup(self._session, self._subject, region)
                self._backups[region] = (at, unknown, time.monotonic())
                self._tell.put(f"backup/{region}", {"at": at.timestamp() if at else None, "unknown": unknown})
        except BicoastalError:
            # The look says it.
            return
        self._judge()

    def _ask_kit(self, region: str) -> None:
        try:
            self._ask_kit_now(region)
        finally:
            # Soon again where nothing is known yet, a region among it that nobody has looked at.
            task = next((task for task in self._tasks if task.name == f"kit {region}"), None)
            if task is not None:
                task.every_s = _KIT_BUSY_S if self.busy or self._kit_of(region) is None else _KIT_S

    def _ask_kit_now(self, region: str) -> None:
        seen = self._looks.get(region)
        if seen is None or not seen.coast.answered:
            self._kits.pop(region, None)
            self._tell.put(f"kit/{region}", None)
            return
        fleet = seen.coast.fleet
        try:
            found: Kit | None = kit.ask(self._session, self._subject, region, fleet.in_service if fleet else ())
            why = ""
        except BicoastalError as error:
            found, why = None, str(error).splitlines()[0]
        self._kits[region] = (found, why)
        side = self._side(region)
        self._lags[region] = lag_of(self._session, self._subject, side) if side.role == "replica" else None
        self._tell.put(f"kit/{region}", {"kit": found, "why": why, "at": time.time()})
        self._judge()

    def _measure(self, region: str) -> None:
        seen, ground = self._looks.get(region), self._grounds.get(region)
        if seen is None or ground is None or not seen.coast.answered:
            return
        try:
            found: Figures = figures(
                self._session, self._subject, region, self._rhythm.clock,
                balancer=ground.resources.get("Balancer", ""),
                database=seen.instance.identifier if seen.instance else "",
                hosts=[host.id for host in seen.coast.hosts],
            )  # fmt: skip
        except BicoastalError:
            return
        self._tell.put(f"figures/{region}", found)

    def _look_at_checks(self) -> None:
        alarms = {
            (region, alarm.name): alarm.state
            for region, seen in self._looks.items()
            if seen.coast.answered
            for alarm in seen.coast.alarms or ()
        }
        try:
            if time.monotonic() - self._defined_at > _DEFINITIONS_S or not self._defined_at:
                self._defined = definitions(self._session, self._subject)
                self._defined_at = time.monotonic()
            found: list[Check] | None = checks(self._session, self._defined, alarms)
            why = ""
        except BicoastalError as error:
            found, why = None, str(error).splitlines()[0]
        for event in events.of_checks(self._checks, found):
            self._tell.happened(event)
        self._checks = found if found is not None else self._checks
        self._tell.put("checks", {"checks": found, "why": why})

    def _look_beside(self) -> None:
        for task in list(self._tasks):
            # A machine that is slow is no region that is silent: what the last look took, this one may take, too.
            longest = max(SILENT_S, 3 * task.took)
            if task.name.startswith("look ") and task.runs_for > longest:
                self._is_silent(task.name.removeprefix("look "), f"it has not answered within {longest:.1f} s")
        for section, extra in self._extras.items():
            self._tell.put(section, extra())
        self._look_at_users()

    def _look_at_users(self) -> None:
        if self._users is None:
            return
        balancers = {
            region: seen.coast.balancer.dns for region, seen in self._looks.items() if seen.coast.balancer is not None
        }
        found = self._users(balancers)
        self._tell.put("users", found)
        sent: dict[str, str | None] = {
            coast: max(answers, key=lambda region: answers[region]) if answers else None
            for coast, answers in found.items()
        }
        for event in events.of_users(self._sent_to, sent):
            self._tell.happened(event)
        self._sent_to = {**(self._sent_to or {}), **{coast: region for coast, region in sent.items() if region}}

    def _judge(self) -> None:
        regions = self._subject.regions
        if any(region not in self._looks for region in regions):
            return
        with self._lock:
            standing = judged(
                self._subject, {region: Region(self._side(region), lag_s=self._lags.get(region)) for region in regions}
            )
            before, self._standing = self._standing, standing
        # Without a kit's answer whether it is protected is not known: that is no reason to say that it is not.
        unasked = [region for region in regions if self._looks[region].coast.answered and not self._kit_of(region)]
        known = not unasked
        self._tell.put(
            "standing",
            {
                "primary": standing.primary, "protected": standing.protected if known else None,
                "why": standing.why if known else (), "stops": standing.stops if known else (),
                "unknown": [self._kits[region][1] or f"the kit in {region} does not reach its database"
                            for region in unasked if region in self._kits],
            },
        )  # fmt: skip
        if known and before is not None:
            for event in events.of_standing(before if self._was_known else None, standing):
                self._tell.happened(event)
        self._was_known = known

    def _kit_of(self, region: str) -> Kit | None:
        """What is known; a kit that does not reach its database knows nothing of who follows it."""
        found = self._kits.get(region, (None, ""))[0]
        return found if found is not None and found.role != kit.UNREACHABLE else None

    def _side(self, region: str) -> Side:
        seen = self._looks[region]
        if not seen.coast.answered:
            return Side(region, answered=False, why=seen.coast.why)
        found, why = self._kits.get(region, (None, "it was not asked yet"))
        return seen.side(self._grounds.get(region, Ground()), found, why)


def _roles(coast: Coast) -> Any:
    """What the stacks and the kits have more to say about, when it changes."""
    databases = [(item.id, item.source, item.zone, item.current) for item in coast.databases]
    return (coast.answered, coast.switch, coast.gate, databases)
