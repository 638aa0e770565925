"""The table that failover, switchover and rejoin walk: a state, what is done in it, and why.

The comment of a row is its line in the log, in the runbook and in the diagram of the docs: one source. Which state it
is, is decided from an observation alone (`decide`), so that an operation that was killed goes on where things are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Operation(StrEnum):
    """What an operator asks for."""

    FAILOVER = "failover"
    SWITCHOVER = "switchover"
    REJOIN = "rejoin"


class State(StrEnum):
    """Where the region that takes over stands."""

    SERVING = "serving"
    """Its replica answers reads, its switch is off."""
    DRAINING = "draining"
    """Its gate is closed, and reads from before go on."""
    DRAINED = "drained"
    """Nothing reads there any more."""
    SWITCHED = "switched"
    """It says that it takes over; the other side may not know it yet."""
    CUT_OFF = "cut off"
    """The other side has had the time to fence itself."""
    PROMOTING = "promoting"
    """RDS and CloudFormation make a primary of the replica."""
    PROMOTED = "promoted"
    """It stands alone, in the epoch from before or with the fence that came by WAL."""
    WRITABLE = "writable"
    """It is the primary of the next epoch; its gate is still closed."""
    OPEN = "open"
    """It serves reads and writes; the stacks don't say so yet."""
    RECORDED = "recorded"
    """The stacks say what is."""
    MOVED = "moved"
    """Everything is done that can be done without the other region: unprotected until it rejoins."""


class Step(StrEnum):
    """One thing that is done; `act` has a function of this name for each."""

    CLOSE_GATE = "close the read gate"
    AWAIT_READERS = "await readers"
    LATCH_SWITCH = "latch the switch"
    AWAIT_FENCE = "await the other side's fence"
    PROMOTE = "promote"
    AWAIT_PROMOTION = "await the promotion"
    RAISE_EPOCH = "raise the epoch"
    OPEN_GATE = "open the read gate"
    RECORD = "record"
    OVERRIDE_TAGS = "override tags"
    DONE = "done"


@dataclass(frozen=True)
class Transition:
    """A row."""

    state: State
    step: Step
    then: State
    """Where it leads when it succeeds."""
    comment: str
    """Why; said when it is done."""
    reversible: bool = True
    """Whether stopping after it leaves a deployment that one command brings back to where it was."""


FAILOVER: tuple[Transition, ...] = (
    Transition(
        State.SERVING,
        Step.CLOSE_GATE,
        State.DRAINING,
        "Reads in the surviving region are answered 503 with Retry-After: a promotion restarts the replica, and what "
        "reads there then would die in the middle.",
    ),
    Transition(
        State.DRAINING,
        Step.AWAIT_READERS,
        State.DRAINED,
        "Reads that had begun may finish; the guard then asks whether any is left.",
    ),
    Transition(
        State.DRAINED,
        Step.LATCH_SWITCH,
        State.SWITCHED,
        "This region's balancer says that it takes over, in the next epoch: health checks take the other region out of "
        "DNS, and its instances fence their database when they read it.",
    ),
    Transition(
        State.SWITCHED,
        Step.AWAIT_FENCE,
        State.CUT_OFF,
        "A primary that sees neither the witness nor its replica fences itself: until then it could still acknowledge "
        "writes that nobody here will have.",
    ),
    Transition(
        State.CUT_OFF,
        Step.PROMOTE,
        State.PROMOTING,
        "The database's stack takes away what the replica follows, and nothing else; CloudFormation promotes it. There "
        "is no way back from here.",
        reversible=False,
    ),
    Transition(
        State.PROMOTING,
        Step.AWAIT_PROMOTION,
        State.PROMOTED,
        "RDS promotes and restarts the instance; the stack follows it to the end.",
        reversible=False,
    ),
    Transition(
        State.PROMOTED,
        Step.RAISE_EPOCH,
        State.WRITABLE,
        "The new primary's epoch is written into it, and the fence that came with the old one's WAL is lifted.",
        reversible=False,
    ),
    Transition(
        State.WRITABLE,
        Step.OPEN_GATE,
        State.OPEN,
        "A row is written and read as the application does it; then requests reach the application again.",
        reversible=False,
    ),
    Transition(
        State.OPEN,
        Step.RECORD,
        State.RECORDED,
        "The stacks record the switch, the gate and the backup's role, so that the next deploy keeps them.",
        reversible=False,
    ),
    Transition(
        State.RECORDED,
        Step.OVERRIDE_TAGS,
        State.MOVED,
        "What the spec wants to be tagged differently after a failover is, on all that is deployed here; a ledger "
        "keeps what was there.",
        reversible=False,
    ),
    Transition(
        State.MOVED,
        Step.DONE,
        State.MOVED,
        "Reads and writes are served here, unprotected: `rejoin` builds the other side anew.",
        reversible=False,
    ),
)
TABLES: Mapping[Operation, tuple[Transition, ...]] = {Operation.FAILOVER: FAILOVER}


def row(operation: Operation, state: State) -> Transition:
    """What is done in a state. Raises KeyError for a state that the operation does not know."""
    for transition in TABLES[operation]:
        if transition.state is state:
            return transition
    raise KeyError(f"{operation} has no row for {state}")
