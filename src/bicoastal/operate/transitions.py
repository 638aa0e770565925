"""The table that failover, switchover, rejoin and restore walk: a state, what is done in it, and why.

The comment of a row is its line in the log, in the runbook and in the diagram of the docs: one source. Which state it
is, is decided from an observation alone (`decide`), so that an operation that was killed goes on where things are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum


class Operation(StrEnum):
    """What an operator asks for."""

    FAILOVER = "failover"
    SWITCHOVER = "switchover"
    REJOIN = "rejoin"
    RESTORE = "restore"


class State(StrEnum):
    """Where the region that the operation acts in stands, and for a rejoin the other one."""

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
    PREPARED = "prepared"
    """The change that promotes it was made and read; writes go on in the other region."""
    STOPPED = "stopped"
    """Nothing writes in the other region any more."""
    REPLAYED = "replayed"
    """The replica has everything that was ever acknowledged."""
    PROMOTING = "promoting"
    """RDS and CloudFormation make a primary of the replica."""
    PROMOTED = "promoted"
    """It stands alone, in the epoch from before or with the fence that came by WAL."""
    READABLE = "readable"
    """It stands alone, and requests reach the application; writes wait for its epoch."""
    WRITABLE = "writable"
    """It is the primary of the next epoch; its gate is still closed."""
    OPEN = "open"
    """It serves reads and writes; the stacks don't say so yet."""
    ANNOUNCED = "announced"
    """Users of the other region are on their way here."""
    RECORDED = "recorded"
    """The stacks say what is."""
    MOVED = "moved"
    """Everything is done that can be done without the other region: unprotected until it rejoins."""
    SHUT = "shut"
    """Requests in the other region get no further than its gate."""
    FENCED = "fenced"
    """The other region's former primary takes no writes, whatever reaches it."""
    LISTED = "listed"
    """What only the former primary has is in a file."""
    BUILT = "built"
    """The other region has a replica of the next generation; its servers don't know it yet."""
    STREAMING = "streaming"
    """It follows this primary."""
    REFRESHED = "refreshed"
    """Both fleets know the new generation's name."""
    REOPENED = "reopened"
    """The other region answers requests again."""
    NAMED = "named"
    """Health checks, witness and records count by the new epoch."""
    SWITCHED_OFF = "switched off"
    """Neither balancer announces a takeover."""
    PROTECTED = "protected"
    """Standby ready: everything is as after a deployment, with the roles as they are now."""
    CHOSEN = "chosen"
    """A recovery point was named; no database was made of it."""
    RESTORING = "restoring"
    """AWS Backup and RDS make a new instance of it."""
    RESTORED = "restored"
    """The new instance is available; nobody has looked into it."""
    VERIFIED = "verified"
    """It was read, table by table, as far as it could be."""
    HANDED_OVER = "handed over"
    """It stands for whoever needs its rows, or is gone again."""


class Step(StrEnum):
    """One thing that is done; each operation has its own way for each of its steps."""

    CLOSE_GATE = "close the read gate"
    AWAIT_READERS = "await readers"
    LATCH_SWITCH = "latch the switch"
    AWAIT_FENCE = "await the other side's fence"
    PREPARE = "prepare the promotion"
    STOP_WRITES = "stop writes"
    AWAIT_REPLAY = "await the replay"
    PROMOTE = "promote"
    AWAIT_PROMOTION = "await the promotion"
    RAISE_EPOCH = "raise the epoch"
    OPEN_GATE = "open the read gate"
    RECORD = "record"
    OVERRIDE_TAGS = "override tags"
    SHUT_OTHER = "shut the other region's gate"
    FENCE = "fence the former primary"
    LIST_WRITES = "list what it alone has"
    BUILD = "build the next generation"
    AWAIT_STREAMING = "await streaming"
    REFRESH_FLEETS = "refresh the fleets"
    REOPEN_OTHER = "open the other region's gate"
    MOVE_NAMES = "move checks and names"
    SWITCH_OFF = "switch off"
    RESTORE_TAGS = "restore tags"
    RESTORE = "restore into a new instance"
    AWAIT_RESTORE = "await the new instance"
    VERIFY = "read all of it"
    HAND_OVER = "keep or delete it"
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


_CLOSE_GATE = Transition(
    State.SERVING,
    Step.CLOSE_GATE,
    State.DRAINING,
    "Reads in the region that takes over are answered 503 with Retry-After: a promotion restarts the replica, and what "
    "reads there then would die in the middle.",
)


def _awaits_promotion() -> Transition:
    return Transition(
        State.PROMOTING,
        Step.AWAIT_PROMOTION,
        State.PROMOTED,
        "RDS promotes and restarts the instance; as soon as it stands alone, nothing waits for the stack.",
        reversible=False,
    )


FAILOVER: tuple[Transition, ...] = (
    _CLOSE_GATE,
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
        "writes that nobody here will have. Servers here, whose addresses list it, are kept off it.",
    ),
    Transition(
        State.CUT_OFF,
        Step.PROMOTE,
        State.PROMOTING,
        "What the replica has is noted; then the database's stack takes away what it follows, and nothing else: "
        "CloudFormation promotes it. There is no way back from here.",
        reversible=False,
    ),
    _awaits_promotion(),
    Transition(
        State.PROMOTED,
        Step.RAISE_EPOCH,
        State.WRITABLE,
        "The new primary's epoch is written into it, the fence that came with the old one's WAL is lifted, and a row "
        "is written and read as the application does it.",
        reversible=False,
    ),
    Transition(
        State.WRITABLE,
        Step.OPEN_GATE,
        State.OPEN,
        "Writes were seen to work; requests reach the application again.",
        reversible=False,
    ),
    Transition(
        State.OPEN,
        Step.RECORD,
        State.RECORDED,
        "The stacks record the promotion, the switch, the gate and the backup's role, so that the next deploy keeps "
        "them.",
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

SWITCHOVER: tuple[Transition, ...] = (
    Transition(
        State.SERVING,
        Step.PREPARE,
        State.PREPARED,
        "The change that promotes is made and read while everybody is served: what it takes would be part of their "
        "pause.",
    ),
    replace(_CLOSE_GATE, state=State.PREPARED),
    Transition(
        State.DRAINING,
        Step.AWAIT_READERS,
        State.DRAINED,
        "Reads that had begun may finish; in the other region reads and writes go on.",
    ),
    Transition(
        State.DRAINED,
        Step.STOP_WRITES,
        State.STOPPED,
        "The primary is fenced in the next epoch, and every session that could still finish a write is ended.",
    ),
    Transition(
        State.STOPPED,
        Step.AWAIT_REPLAY,
        State.REPLAYED,
        "The fence itself has arrived in the replica, and with it all that was written before: no acknowledged write "
        "can be lost.",
    ),
    Transition(
        State.REPLAYED,
        Step.PROMOTE,
        State.PROMOTING,
        "The prepared change is executed. There is no way back from here.",
        reversible=False,
    ),
    _awaits_promotion(),
    Transition(
        State.PROMOTED,
        Step.OPEN_GATE,
        State.READABLE,
        "Requests reach the application here again: nothing restarts any more. Writes still meet the fence that came "
        "with the WAL, and whoever writes is on the way to the application when it is lifted.",
        reversible=False,
    ),
    Transition(
        State.READABLE,
        Step.RAISE_EPOCH,
        State.OPEN,
        "The new primary's epoch is written into it, the fence is lifted, and a row is written and read as the "
        "application does it: the pause for writers is over.",
        reversible=False,
    ),
    Transition(
        State.OPEN,
        Step.LATCH_SWITCH,
        State.ANNOUNCED,
        "Users of the other region come here: its database follows nobody now, and what it shows grows old. Servers "
        "here, whose addresses list it, are kept off it.",
        reversible=False,
    ),
    Transition(
        State.ANNOUNCED,
        Step.RECORD,
        State.RECORDED,
        "The stacks record the promotion, the switch, the gate and the backup's role, so that the next deploy keeps "
        "them.",
        reversible=False,
    ),
    Transition(
        State.RECORDED,
        Step.DONE,
        State.RECORDED,
        "Reads and writes are served here, unprotected until the other side has rejoined.",
        reversible=False,
    ),
)

REJOIN: tuple[Transition, ...] = (
    Transition(
        State.MOVED,
        Step.SHUT_OTHER,
        State.SHUT,
        "Requests in the region that comes back are answered 503 until it follows: nobody should read what is old, or "
        "write where nobody looks.",
    ),
    Transition(
        State.SHUT,
        Step.FENCE,
        State.FENCED,
        "The former primary is asked to fence itself, and seen to have done it: two databases must never take writes.",
    ),
    Transition(
        State.FENCED,
        Step.LIST_WRITES,
        State.LISTED,
        "Rows that it acknowledged and this primary never got are written to a file, for people to decide about.",
    ),
    Transition(
        State.LISTED,
        Step.BUILD,
        State.BUILT,
        "The database's stack there makes the next generation, a replica of this primary; the former instance is kept "
        "under its own.",
        reversible=False,
    ),
    Transition(
        State.BUILT,
        Step.AWAIT_STREAMING,
        State.STREAMING,
        "The new replica follows this primary: from here on a loss of this region can be survived again.",
        reversible=False,
    ),
    Transition(
        State.STREAMING,
        Step.REFRESH_FLEETS,
        State.REFRESHED,
        "Servers of both regions are replaced, batch by batch, by such as know the new generation's name; then those "
        "here reach the other database again. Backup and monitoring follow it.",
        reversible=False,
    ),
    Transition(
        State.REFRESHED,
        Step.REOPEN_OTHER,
        State.REOPENED,
        "Requests reach the application there again, and it reads from a replica that streams.",
        reversible=False,
    ),
    Transition(
        State.REOPENED,
        Step.MOVE_NAMES,
        State.NAMED,
        "Checks look for the epoch after this one and have settled; then the witness says this epoch, and users near "
        "the other region go there again.",
        reversible=False,
    ),
    Transition(
        State.NAMED,
        Step.SWITCH_OFF,
        State.SWITCHED_OFF,
        "The switch has done its work: what it says counts for nothing in the new epoch, and both are off in a steady "
        "state.",
        reversible=False,
    ),
    Transition(
        State.SWITCHED_OFF,
        Step.RESTORE_TAGS,
        State.PROTECTED,
        "Tags are as they were before the failover, by the ledger.",
        reversible=False,
    ),
    Transition(
        State.PROTECTED,
        Step.DONE,
        State.PROTECTED,
        "Standby ready: both regions serve, and either can be lost.",
        reversible=False,
    ),
)
RESTORE: tuple[Transition, ...] = (
    Transition(
        State.CHOSEN,
        Step.RESTORE,
        State.RESTORING,
        "AWS Backup makes a new instance of the recovery point, beside the live one and never over it: in the data "
        "subnets, with the database's own security group, parameters and key.",
    ),
    Transition(
        State.RESTORING,
        Step.AWAIT_RESTORE,
        State.RESTORED,
        "RDS says that the new instance is available: minutes, or hours for a large one.",
    ),
    Transition(
        State.RESTORED,
        Step.VERIFY,
        State.VERIFIED,
        "A server of the fleet reads every table of it to the end, counts rows and takes checksums, and holds them "
        "against the live database's as they are now.",
    ),
    Transition(
        State.VERIFIED,
        Step.HAND_OVER,
        State.HANDED_OVER,
        "It stays for whoever needs its rows, or it is deleted again, as was asked.",
    ),
    Transition(
        State.HANDED_OVER,
        Step.DONE,
        State.HANDED_OVER,
        "The live database is as it was: nothing of it was changed or stopped.",
    ),
)
TABLES: Mapping[Operation, tuple[Transition, ...]] = {
    Operation.FAILOVER: FAILOVER,
    Operation.SWITCHOVER: SWITCHOVER,
    Operation.REJOIN: REJOIN,
    Operation.RESTORE: RESTORE,
}


def row(operation: Operation, state: State) -> Transition:
    """What is done in a state. Raises KeyError for a state that the operation does not know."""
    for transition in TABLES[operation]:
        if transition.state is state:
            return transition
    raise KeyError(f"{operation} has no row for {state}")
