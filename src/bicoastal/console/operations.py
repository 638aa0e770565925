"""Failover, switchover and rejoin, started from the page as commands of their own and followed by their journals."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bicoastal.console.child import Child
from bicoastal.console.feed import Feed
from bicoastal.core.errors import Refused
from bicoastal.drill.operator import Step, steps_of
from bicoastal.operate.subject import Subject
from bicoastal.operate.transitions import TABLES, Operation
from bicoastal.operate.watch.events import Event, Kind

SECTION = "operation"
_LOOK_S = 0.2
_SHOWN = 60
"""Lines of what it says."""


@dataclass(frozen=True)
class Rights:
    """What may be started from the page."""

    verbs: frozenset[Operation]
    force: bool
    """The guard may be overridden."""
    typed: bool
    """The deployment's name is typed before anything is changed."""


TWIN = Rights(frozenset(Operation), force=True, typed=False)
AWS = Rights(frozenset({Operation.FAILOVER, Operation.SWITCHOVER}), force=False, typed=True)


@dataclass(frozen=True)
class Wish:
    """What somebody has asked for."""

    verb: Operation
    region: str
    """Where to; not of a rejoin."""
    reason: str
    """Overrides the guard; empty: nothing is overridden."""
    plan: bool
    """Say what would be done, and change nothing."""
    typed: str
    """What was typed as a confirmation."""


class Operations:
    """One at a time."""

    def __init__(
        self,
        subject: Subject,
        spec: Path,
        environment: Mapping[str, str],
        state: Path,
        *,
        feed: Feed,
        rights: Rights,
        busy: Callable[[bool], None],
    ) -> None:
        """`state` is the folder under which commands in that environment keep their journals."""
        self._subject, self._spec, self._environment, self._state = subject, spec, environment, state
        self._feed, self._busy = feed, busy
        self.rights = rights
        self._lock = threading.Lock()
        self._child: Child | None = None
        self._wish: Wish | None = None
        self._known: set[Path] = set()
        self._told: set[tuple[str, str]] = set()
        self._publishing = threading.Lock()
        self._over: Child | None = None
        """How it ended has been said: whoever looked a moment earlier says no more that it runs."""

    def start(self, wish: Wish) -> None:
        """Begin. Raises Refused with the reason."""
        self._check(wish)
        with self._lock:
            if self._child is not None and self._child.runs:
                raise Refused(f"`{self._child.text}` still runs: one operation at a time.")
            self._known, self._told = set(self._journals()), set()
            self._wish = wish
            child = Child(
                self._words(wish), self._environment, self._spec.parent,
                ended=self._ends,
            )  # fmt: skip
            self._child = child
        self._say("note", f"`{_typed(child)}` begins")
        self._busy(True)
        threading.Thread(target=self._follow, args=(child,), name="console follow", daemon=True).start()

    def interrupt(self) -> None:
        """As Ctrl-C: the same command goes on later. Raises Refused where nothing runs."""
        if self._child is None or not self._child.runs:
            raise Refused("no operation runs.")
        self._child.interrupt()

    def end(self) -> None:
        """End what runs: the console ends."""
        if self._child is not None:
            self._child.end()

    def _check(self, wish: Wish) -> None:
        if wish.verb not in self.rights.verbs:
            raise Refused(f"{wish.verb} is not started from here.\n    -> Type `bicoastal {wish.verb}`.")
        if wish.reason and not self.rights.force:
            raise Refused("the guard is not overridden from here.\n    -> Type `bicoastal failover --force REASON`.")
        if wish.verb is not Operation.REJOIN and wish.region not in self._subject.regions:
            raise Refused(f"{wish.region!r} is none of {' and '.join(self._subject.regions)}.")
        if self.rights.typed and not wish.plan and wish.typed != self._subject.prefix:
            raise Refused(f"{wish.verb} is confirmed by typing the deployment's name, {self._subject.prefix}.")

    def _words(self, wish: Wish) -> Sequence[str]:
        to = () if wish.verb is Operation.REJOIN else ("--to", wish.region)
        force = ("--force", wish.reason) if wish.reason and wish.verb is Operation.FAILOVER else ()
        plan = ("--dry-run",) if wish.plan else ()
        return (wish.verb.value, *to, *force, *plan, "--spec", str(self._spec))

    def _journals(self) -> Sequence[Path]:
        return sorted((self._state / "bicoastal" / self._subject.prefix / "journal").glob("*.jsonl"))

    def _follow(self, child: Child) -> None:
        while child.runs:
            self._publish(child, None)
            time.sleep(_LOOK_S)

    def _ends(self, code: int) -> None:
        with self._lock:
            child, wish = self._child, self._wish
        if child is None or wish is None:
            return
        self._publish(child, code)
        self._busy(False)
        if wish.plan:
            return
        last = next((line.strip() for line in reversed(child.lines) if line.strip()), "")
        kind: Kind = "good" if code == 0 else "bad"
        end = "is done" if code == 0 else "is refused" if code == 1 else f"ended with {code}"
        self._say(kind, f"{wish.verb} {end}{f': {last}' if code else ''}")

    def _publish(self, child: Child, code: int | None) -> None:
        with self._publishing:
            if child is not self._over:
                self._over = child if code is not None else None
                self._put(child, code)

    def _put(self, child: Child, code: int | None) -> None:
        wish = self._wish
        if wish is None:
            return
        steps = {step.name: step for step in self._steps()} if not wish.plan else {}
        for step in steps.values():
            if step.ended is not None and (wish.verb, step.name) not in self._told:
                self._told.add((wish.verb, step.name))
                self._say("note", f"{wish.verb}: {step.name} ({step.ended - step.began:.1f} s)")
        self._feed.put(
            SECTION,
            {
                "verb": wish.verb, "region": wish.region, "plan": wish.plan, "text": _typed(child),
                "began": child.began,
                "ended": None if code is None else time.time(), "code": code,
                "rows": _rows(wish.verb, steps), "lines": list(child.lines)[-_SHOWN:],
            },
        )  # fmt: skip

    def _steps(self) -> list[Step]:
        return steps_of(
            line for path in self._journals() if path not in self._known for line in path.read_text().splitlines()
        )

    def _say(self, kind: Kind, text: str) -> None:
        self._feed.happened(Event(kind, text))


def _typed(child: Child) -> str:
    """Without the file that a person would stand beside."""
    return child.text.partition(" --spec ")[0]


def _rows(verb: Operation, steps: Mapping[str, Step]) -> list[dict[str, Any]]:
    """The table of an operation, with what its journal says of each row."""
    return [
        {
            "step": row.step.value, "comment": row.comment, "reversible": row.reversible,
            "began": found.began if (found := steps.get(row.step.value)) else None,
            "ended": found.ended if found else None,
        }
        for row in TABLES[verb]
        if row.then is not row.state
    ]  # fmt: skip
