"""An experiment, and how it is run: given a steady state, when something is lost, then what was promised holds.

An experiment is data in sentences; each carries what it does or how it is judged. Nothing is judged while it runs: the
figures are made afterwards, from the ledger, the gateway's record and both databases.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from bicoastal.core.errors import BicoastalError, SystemFault
from bicoastal.drill.operator import Command, Operator
from bicoastal.drill.stage import Stage
from bicoastal.drill.users import Users
from bicoastal.drill.watch import NameWatch
from bicoastal.twin.faults import Act

if TYPE_CHECKING:
    from bicoastal.drill.evidence import Evidence

Judged = tuple[bool, str]
"""Whether a promise held, and what was found."""

STEADY_WITHIN_S = 90.0
"""A machine with other work takes a while until everything has settled after a deployment."""
_LOOK_S = 0.1


@dataclass(frozen=True)
class Phase:
    """A part of the time line. Seconds since the epoch."""

    name: str
    began: float
    ended: float


@dataclass(frozen=True)
class Condition:
    """A sentence about a steady state."""

    text: str
    lacks: Callable[[Run], str]
    """What keeps it from being so; empty while it holds."""


@dataclass(frozen=True)
class Deed:
    """A sentence about something that is done."""

    text: str
    do: Callable[[Run], None]


@dataclass(frozen=True)
class Promise:
    """A sentence about what is promised, and how it is held against what was recorded."""

    text: str
    judge: Callable[[Run, Evidence], Judged]


@dataclass(frozen=True)
class Said:
    """A sentence with what became of it."""

    part: str
    """`given`, `when`, `then` or `afterwards`."""
    text: str
    held: bool
    found: str = ""


@dataclass(frozen=True)
class Experiment:
    """What is rehearsed."""

    name: str
    title: str
    given: Sequence[Condition]
    when: Sequence[Deed]
    afterwards: Sequence[Deed]
    """What gives everything back; done after what is measured."""
    then: Sequence[Promise]
    """What is promised of what was measured."""
    black_hole: bool = False
    """What is lost says nothing, and so everybody waits for it; else it refuses."""
    predicts: bool = False
    """The arithmetic of a region's loss applies: computed figures stand beside the measured ones."""
    stays: int | None = None
    """So many deeds afterwards until it is known what was lost: where `--stay` ends. None: after all of them."""
    stays_in_a_row: bool = False
    """`drill all` ends it where `--stay` does: another one there goes the same way back."""
    asks: Mapping[str, Any] = field(default_factory=dict)
    """What its spec says in place of the given one's, by field and below."""
    asks_little: bool = False
    """What it asks for harms no other: all of a row are played with it, and so can share a place."""
    users: int = 2
    """Readers, and as many writers, on each coast."""
    traceless: bool = False
    """It leaves everything as it was: in a row of drills another may begin where it has ended."""
    measured: bool = False
    """Its promises are of seconds: in a row it is played by the lane to which the others leave the machine."""
    watches: Sequence[str] = ()
    """Names that are asked of DNS all the time, below the application's own; `{home}` and `{standby}` are the regions,
    and an empty one is the application's own."""
    watched_from: str = "standby"
    """From which coast they are asked: `home` or `standby`."""

    def staying(self) -> Experiment:
        """The same without the way back."""
        return self if self.stays is None else replace(self, afterwards=self.afterwards[: self.stays])


@dataclass
class Run:
    """One run of it: what deeds act on, and what they leave behind for the figures."""

    experiment: Experiment
    stage: Stage
    users: Users
    operator: Operator
    tell: Callable[[str], None]
    watch: NameWatch | None = None
    """Of the names that the experiment watches."""
    phases: list[Phase] = field(default_factory=list)
    said: list[Said] = field(default_factory=list)
    fault: Act | None = None
    """The moment from which times are given."""
    lost: str = ""
    """The region that was taken away, where one was."""
    returned: Act | None = None
    served_until: float = 0.0
    """When what is measured was over: before anything was given back."""
    failover: Command | None = None
    fenced_after_s: float | None = None
    """From the region's return until its old database was fenced, its hosts' boot included; None: not seen."""
    counted: float = 0.0
    """When the database that takes writes was asked for its rows."""
    known_rows: frozenset[str] = frozenset()
    """Ids that were there before anybody asked."""
    survivor_rows: frozenset[str] | None = None
    stale_rows: frozenset[str] | None = None
    notes: dict[str, Any] = field(default_factory=dict)
    """Figures of this experiment, for the report."""
    tags_before: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """What survives bore before the loss, by ARN."""
    """In the report, as JSON."""
    kept: dict[str, Any] = field(default_factory=dict)
    """What deeds of one experiment leave for its own promises."""

    @property
    def home(self) -> str:
        """The region where the primary is at the beginning."""
        return self.stage.script.home

    @property
    def standby(self) -> str:
        """The other one."""
        return self.stage.script.standby

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """What is done within belongs to this part of the time line."""
        began = time.time()
        try:
            yield
        finally:
            self.phases.append(Phase(name, began, time.time()))

    def wait(self, what: str, until: Callable[[], object], within_s: float) -> None:
        """Look until it is so. Raises SystemFault that says what did not come about."""
        end = time.monotonic() + within_s
        while not until():
            if time.monotonic() > end:
                raise SystemFault(f"it did not come about within {within_s:.0f} s: {what}")
            time.sleep(_LOOK_S)


def perform(run: Run) -> None:
    """All of its parts, in order. What breaks is said, and ends that part; what was lost is given back all the same.

    Who interrupts it has both regions ended, and waits for nothing to come back.
    """
    if not _given(run, "given"):
        return
    with_sentences(run, "when", run.experiment.when)
    run.served_until = run.served_until or time.time()
    with_sentences(run, "afterwards", run.experiment.afterwards)


def with_sentences(run: Run, part: str, deeds: Sequence[Deed]) -> bool:
    """Do one after the other, until one fails; returns whether none did."""
    for deed in deeds:
        run.tell(f"{part}: {deed.text}")
        try:
            deed.do(run)
        except BicoastalError as error:
            run.said.append(Said(part, deed.text, False, str(error)))
            run.tell(f"  no: {error}")
            return False
        run.said.append(Said(part, deed.text, True))
    return True


def _given(run: Run, part: str) -> bool:
    with run.phase("steady state"):
        held = [steady(run, part, condition) for condition in run.experiment.given]
    return all(held)


def steady(run: Run, part: str, condition: Condition) -> bool:
    """Wait until a condition holds, and say what became of it."""
    run.tell(f"{part}: {condition.text}")
    try:
        run.wait(condition.text, lambda: not condition.lacks(run), STEADY_WITHIN_S)
    except SystemFault:
        lacks = condition.lacks(run)
        run.said.append(Said(part, condition.text, not lacks, lacks))
        run.tell(f"  no: {lacks}")
        return not lacks
    run.said.append(Said(part, condition.text, True))
    return True
