"""What all operations have in common: they walk a table row by row, say and journal each, and never wait beside.

A row's step is done by the operation that walks. Nothing is decided here but the order, which is the table's.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from bicoastal.aws.session import Session
from bicoastal.aws.waiting import Waiter
from bicoastal.core.errors import BicoastalError, SystemFault
from bicoastal.operate import beside, kit
from bicoastal.operate.act import Acts
from bicoastal.operate.decide import Objection, Progress
from bicoastal.operate.journal import Journal
from bicoastal.operate.lock import Held
from bicoastal.operate.observe import fleet_of
from bicoastal.operate.sight import Fleet, Gate, Side
from bicoastal.operate.subject import Subject
from bicoastal.operate.transitions import Operation, State, Step, Transition, row

Tell = Callable[[str], None]
SEE_S = 20.0
LOOK_S = 0.2
"""Between two looks at what readers do, at the kit's pace."""


@dataclass(frozen=True)
class Done:
    """One step as it went."""

    state: State
    step: Step
    seconds: float
    text: str
    at: float = 0.0
    """When it ended, in seconds since the epoch."""


@dataclass
class Report:
    """How an operation went."""

    operation: Operation
    region: str
    epoch: int | None = None
    begun: float = field(default_factory=time.time)
    steps: list[Done] = field(default_factory=list)
    overridden: tuple[Objection, ...] = ()
    beside: list[str] = field(default_factory=list)
    """What was done and seen beside the path."""
    notes: list[str] = field(default_factory=list)
    """What people should know of it afterwards."""
    diverged: int | None = None
    """Rows that only the former primary has; None: unknown, or not asked."""

    @property
    def seconds(self) -> float:
        """From the first look to the end."""
        return (self.steps[-1].at if self.steps else time.time()) - self.begun


class Walk(ABC):
    """One operation."""

    operation: Operation

    def __init__(self, session: Session, subject: Subject, *, region: str, journal: Journal, tell: Tell) -> None:
        """`region` is the one that acts: the survivor, or whoever takes over."""
        self._session = session
        self._subject = subject
        self._region = region
        self._journal = journal
        self._tell = tell
        self._acts = Acts(session, subject, region, tell)
        self._progress = Progress()
        self._here = Side(region, answered=False)
        self.report = Report(self.operation, region)
        self.lock = Held(())
        """Whoever has lost it does nothing more, and puts nothing back: it is another operator's turn."""

    @abstractmethod
    def run(self) -> Report:
        """Walk the table to its end, from wherever things are."""

    @abstractmethod
    def _do(self, transition: Transition) -> None:
        """Take a step."""

    def _walk(self, state: State) -> Report:
        """From a state to the end of the table. Raises what a step raises, with its journal line written.

        Raises Refused before a step where the lock is lost.
        """
        while True:
            transition = row(self.operation, state)
            begun = time.monotonic()
            if transition.step is Step.DONE:
                self._said(transition, 0.0)
                return self.report
            self.lock.still()
            self._journal.write("begins", step=transition.step, state=state, epoch=self.report.epoch)
            try:
                self._do(transition)
            except BicoastalError as error:
                self._journal.write("failed", step=transition.step, why=str(error).splitlines()[0])
                raise
            self._said(transition, time.monotonic() - begun)
            state = transition.then

    def _said(self, transition: Transition, seconds: float) -> None:
        self.report.steps.append(Done(transition.state, transition.step, seconds, transition.comment, time.time()))
        self._journal.write("done", step=transition.step, seconds=round(seconds, 3), then=transition.then)
        self._tell(f"{transition.step} ({seconds:.1f} s): {transition.comment}")

    def _note(self, text: str) -> None:
        self.report.notes.append(text)
        self._journal.write("note", text=text)
        self._tell(text)

    def _beside(self, what: str, act: Callable[[], str]) -> None:
        """Do it beside the path: its outcome is told when it comes."""

        def run() -> None:
            try:
                said = act()
            except BicoastalError as error:
                said = f"{what}: {str(error).splitlines()[0]}"
            if said:
                self.report.beside.append(said)
                self._journal.write("beside", text=said)
                self._tell(f"beside: {said}")

        beside.start(what, run)

    # What more than one operation does.

    def _epoch(self) -> int:
        if self.report.epoch is None:
            raise AssertionError("it was assessed first")
        return self.report.epoch

    def _with_kit(self, side: Side, known: Fleet | None = None) -> Side:
        """The side with what its kit says now; its fleet is looked up where none is known: instances come and go."""
        try:
            fleet = known or fleet_of(self._session, self._subject, side.region)
            found = kit.ask(self._session, self._subject, side.region, fleet.in_service if fleet is not None else ())
            return replace(side, fleet=fleet, kit=found, kit_unknown="")
        except BicoastalError as error:
            return replace(side, kit=None, kit_unknown=str(error).splitlines()[0])

    def _sure(self, side: Side) -> Side:
        """The side once its kit has seen its database: what is no emergency takes no silence of a moment for an answer.

        As it is, where the kit does not see it for `SEE_S`.
        """
        try:
            for _ in Waiter(SEE_S, f"asking the kit in {side.region}"):
                if side.kit is not None and side.kit.role != kit.UNREACHABLE:
                    return side
                side = self._with_kit(side)
        except SystemFault:
            return side
        raise AssertionError("a waiter ends by its deadline")

    def _drained(self, here: Side, drain_s: float) -> Side:
        """Give readers so long, by the kit's clocks; returns the side as it is when none is left or time is over."""
        second = here.kit.second_s if here.kit is not None else 1.0
        end = time.monotonic() + drain_s * second
        known = here.fleet
        while True:
            now, known = self._with_kit(here, known), None
            if (now.kit is not None and now.kit.reading == 0) or time.monotonic() >= end:
                return now
            time.sleep(LOOK_S * second)

    def _set_gate(self, side: Side, gate: Gate) -> Side:
        self._acts.set_gate(side, gate)
        return replace(side, gate=gate)
