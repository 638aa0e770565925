"""What comes next, from what was seen: pure functions over an Observation. The guard lives here, too.

Nothing is remembered between two runs but by the systems themselves: `Progress` holds only what this run has waited
for or proven, and a run that begins anew waits and proves again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from bicoastal.operate.sight import BACKING_UP, SWITCH_OFF, Gate, Observation, Side
from bicoastal.operate.transitions import State
from bicoastal.stacks.view import Condition

FRESH_BEATS = 5.0
"""Heartbeats, of a second each, within which a primary counts as alive."""


class Doubt(StrEnum):
    """What the guard may refuse for; in a failover each is overridden by --force, with a reason."""

    READS = "reads"
    LAG = "lag"
    BACKUP = "backup"
    HOME_ALIVE = "home is alive"
    CHANGE = "change in progress"
    UNSEEN = "not seen"


@dataclass(frozen=True)
class Objection:
    """One reason not to promote."""

    doubt: Doubt
    text: str
    """What was seen, and what it would cost."""


@dataclass(frozen=True)
class Progress:
    """What this run has seen through, and no look can show."""

    drained: bool = False
    """The time for readers is over."""
    fence_awaited: bool = False
    prepared: bool = False
    replayed: bool = False
    proven: bool = False
    """A write was seen to work."""
    tagged: bool = False
    fenced: bool = False
    """The other side's former primary was seen fenced, or is gone."""
    listed: bool = False


def target_epoch(here: Side) -> int | None:
    """The epoch that a takeover by this side begins, or has begun; None where it cannot be known."""
    latched, kit = here.switch_epoch, here.kit
    if kit is None or kit.epoch is None:
        return latched
    if latched is not None and latched >= kit.epoch:
        # On, and not a left-over of an earlier failover, whose epoch is below the database's own.
        return latched
    if here.alone and kit.fence_epoch is not None:
        # A switchover that was interrupted: the fence came by WAL, with the epoch that it was made for.
        return kit.fence_epoch
    return kit.epoch if primary(here) else kit.epoch + 1


def primary(here: Side) -> bool:
    """Whether this side is the primary of its epoch, and its stack knows it: nothing has to take over."""
    stack = here.stacks.get("database")
    known = stack is not None and stack.good and here.role == "primary"
    return here.alone and known and here.kit is not None and here.kit.fence is None


def state_of(observation: Observation, progress: Progress) -> State:
    """Where the region that takes over in a failover stands."""
    here = observation.here
    if here.alone and (primary(here) or here.switch_epoch is not None):
        return _after_promotion(here, progress)
    if promoting(here):
        return State.PROMOTING
    if here.alone and not _latched(here):
        # Promoted past CloudFormation: the switch comes first all the same.
        return State.DRAINED
    if _latched(here):
        return State.CUT_OFF if progress.fence_awaited else State.SWITCHED
    return _draining(here, progress)


def switchover_epoch(observation: Observation) -> int | None:
    """The epoch that a switchover begins, or has begun: that of the fence on the former primary, once there is one."""
    kit = observation.there.kit
    if kit is not None and kit.fence is not None and kit.fence_epoch is not None:
        return kit.fence_epoch
    return target_epoch(observation.here)


def switchover_state(observation: Observation, progress: Progress) -> State:
    """Where a switchover stands: the other region is the primary until this one stands alone."""
    here, there = observation.here, observation.there
    if here.alone:
        return _after_planned_promotion(here, progress)
    if promoting(here):
        return State.PROMOTING
    if stopped(there, switchover_epoch(observation)):
        return State.REPLAYED if progress.replayed else State.STOPPED
    found = _draining(here, progress)
    return State.PREPARED if found is State.SERVING and progress.prepared else found


def _after_planned_promotion(here: Side, progress: Progress) -> State:
    if here.gate is not Gate.OPEN:
        return State.PROMOTED
    found = _after_promotion(here, progress)
    if found in (State.PROMOTED, State.WRITABLE):
        return State.READABLE
    # A failover latches before it promotes, a switchover afterwards: then nobody was sent away before his time.
    if here.switch_epoch != _epoch(here):
        return State.OPEN
    return {State.OPEN: State.ANNOUNCED, State.MOVED: State.RECORDED}.get(found, found)


def rejoin_state(  # noqa: PLR0911 - a line for each state
    observation: Observation, progress: Progress
) -> State:
    """Where a rejoin stands. `here` is the primary, `there` what is to follow it again."""
    here, there = observation.here, observation.there
    if there.role == "primary" or (there.instance is not None and not there.instance.source):
        if progress.fenced:
            return State.LISTED if progress.listed else State.FENCED
        return State.SHUT if there.gate is Gate.CLOSED else State.MOVED
    if here.kit is None or not here.kit.follower:
        # A stranded replica was never a primary: nothing to fence or to list. Its gate stays open, for old reads.
        return State.LISTED if here.kit is not None and here.kit.stranded else State.BUILT
    if not refreshed(observation):
        return State.STREAMING
    if there.gate is not Gate.OPEN or there.parameter("service", "ReadGate") != Gate.OPEN:
        return State.REFRESHED
    if not named(observation):
        return State.REOPENED
    if any(side.switch != SWITCH_OFF or side.parameter("service", "Switch") != SWITCH_OFF for side in (here, there)):
        return State.NAMED
    return State.PROTECTED if progress.tagged else State.SWITCHED_OFF


def refreshed(observation: Observation) -> bool:
    """Whether what names the databases names those that are there, in both regions."""
    here, there = observation.here, observation.there
    return all(
        side.parameter(kind, name) in ("", value) and (side.stacks[kind].good if kind in side.stacks else True)
        for side, other in ((here, there), (there, here))
        for kind, name, value in wanted_inputs(side, other)
    )


def wanted_inputs(side: Side, other: Side) -> list[tuple[str, str, str]]:
    """Kind of stack, parameter, and what it should be, of one side; an empty parameter means that it has none such."""
    own = side.instance
    if own is None:
        return []
    return [
        ("service", "DatabaseHost", side.output("database", "DatabaseHost")),
        ("service", "OtherDatabaseHost", other.output("database", "DatabaseHost")),
        ("bootstrap", "DatabaseHost", side.output("database", "DatabaseHost")),
        ("backup", "DatabaseArn", own.arn),
        ("backup", "DatabaseRole", "replica" if own.source else "primary"),
        ("monitoring", "DatabaseId", own.identifier),
    ]


def named(observation: Observation) -> bool:
    """Whether checks and names count by the primary's epoch, and lead to it."""
    epoch = _epoch(observation.here)
    home = next((side for side in (observation.here, observation.there) if "checks" in side.stacks), None)
    if home is None or epoch is None:
        return False
    primary = home.parameter("names", "PrimaryRegion")
    return (
        home.parameter("checks", "Epoch") == str(epoch)
        and home.parameter("checks", "NextEpoch") == str(epoch + 1)
        and home.parameter("names", "Epoch") == str(epoch)
        and home.parameter("names", "NextEpoch") == str(epoch + 1)
        and primary in ("", observation.here.region)
    )


def stopped(primary: Side, epoch: int | None) -> bool:
    """Whether a switchover has stopped the writes of the other region's primary."""
    kit = primary.kit
    return kit is not None and kit.role == "primary" and kit.fence is not None and kit.fence_epoch == epoch


def promoting(here: Side) -> bool:
    """Whether CloudFormation is at work on the database, which is still a replica."""
    stack = here.stacks.get("database")
    return stack is not None and stack.condition is Condition.BUSY


def _draining(here: Side, progress: Progress) -> State:
    if here.gate is not Gate.CLOSED:
        return State.SERVING
    if progress.drained or (here.kit is not None and here.kit.reading == 0):
        return State.DRAINED
    return State.DRAINING


def _epoch(here: Side) -> int | None:
    return here.kit.epoch if here.kit is not None else None


def _latched(here: Side) -> bool:
    """The switch announces an epoch that the database does not have yet."""
    latched, known = here.switch_epoch, _epoch(here)
    return latched is not None and (known is None or latched > known)


def _after_promotion(here: Side, progress: Progress) -> State:
    kit = here.kit
    if kit is None or kit.role != "primary" or kit.epoch is None or kit.fence is not None or not _raised(here):
        return State.PROMOTED
    if here.gate is not Gate.OPEN or not progress.proven:
        return State.WRITABLE
    if not recorded(here):
        return State.OPEN
    return State.MOVED if progress.tagged else State.RECORDED


def _raised(here: Side) -> bool:
    """The database has the epoch of its takeover: the switch's, or, of a switchover, that of the fence it came with."""
    return here.switch_epoch is None or here.switch_epoch <= (_epoch(here) or 0)


def recorded(here: Side) -> bool:
    """Whether the stacks say what is: `deploy` reads them back and keeps it."""
    stack = here.stacks.get("database")
    return (
        here.role == "primary"
        and stack is not None
        and stack.good
        and here.parameter("service", "Switch") == here.switch
        and here.parameter("service", "ReadGate") == here.gate
        and here.parameter("backup", "DatabaseRole") == "primary"
    )


def objections(observation: Observation, *, lag_s: float | None, budget_s: float) -> tuple[Objection, ...]:
    """The guard: why the replica should not be promoted now. `lag_s` is that of its last contact with the primary."""
    found = [
        _reads(observation.here),
        _lag(observation.here, lag_s, budget_s),
        backup_objection(observation.here),
        _home_alive(observation),
        change_objection(observation.here),
    ]
    return tuple(item for item in found if item is not None)


def _reads(here: Side) -> Objection | None:
    if here.kit is None or here.kit.reading is None:
        return Objection(
            Doubt.READS,
            f"how many sessions read in {here.region} is unknown ({here.kit_unknown or 'the kit does not say'}); a "
            "promotion ends them.",
        )
    if here.kit.reading:
        return Objection(
            Doubt.READS, f"{here.kit.reading} sessions still read in {here.region}; a promotion ends them."
        )
    return None


def _lag(here: Side, lag_s: float | None, budget_s: float) -> Objection | None:
    if lag_s is None:
        return Objection(
            Doubt.LAG,
            f"how far the replica in {here.region} was behind at its last contact is unknown; the promise is "
            f"{budget_s:g} s.",
        )
    if lag_s > budget_s:
        return Objection(
            Doubt.LAG,
            f"the replica in {here.region} was {lag_s:.1f} s behind at its last contact; the promise is "
            f"{budget_s:g} s. What it lacks is lost.",
        )
    return None


def backup_objection(here: Side) -> Objection | None:
    """A replica that is being backed up is not promoted by RDS."""
    instance = here.instance
    if instance is None or instance.status != BACKING_UP:
        return None
    until = (
        f"it should be promotable at {instance.kept_at:%H:%M:%S} UTC, by the progress that RDS tells"
        if instance.kept_at is not None
        else "when that is over RDS does not tell yet"
    )
    return Objection(
        Doubt.BACKUP,
        f"{instance.identifier} is being backed up, and RDS refuses to promote it meanwhile; {until}. Its daily window "
        f"is {instance.backup_window} UTC.",
    )


def _home_alive(observation: Observation) -> Objection | None:
    here, there = observation.here, observation.there
    kit = here.kit
    beats = kit is not None and kit.heartbeat_age_s is not None and kit.heartbeat_age_s <= FRESH_BEATS * kit.second_s
    if kit is not None and kit.receiver == "streaming" and beats:
        return Objection(
            Doubt.HOME_ALIVE,
            f"the primary in {there.region} is alive: its heartbeat is {kit.heartbeat_age_s:.1f} s old here. Moving it "
            f"without loss is `bicoastal switchover --to {here.region}`.",
        )
    if there.answered and there.kit is not None and there.kit.role == "primary" and there.kit.fence is None:
        return Objection(
            Doubt.HOME_ALIVE,
            f"the primary in {there.region} takes writes, by its own kit, though its replica does not hear it.",
        )
    return None


def change_objection(here: Side) -> Objection | None:
    """Somebody changes a stack that an operation would change too."""
    busy = [stack.name for stack in here.stacks.values() if stack.condition is Condition.BUSY]
    if busy:
        return Objection(Doubt.CHANGE, f"a change of {', '.join(busy)} is in progress in {here.region}.")
    return None


def lag_at_last_contact(ages: Sequence[tuple[float, float]], heard: float) -> float | None:
    """From the heartbeat's least age in each minute, oldest first; None where they do not reach back to the contact.

    Each figure stands with the second at which its minute began, and `heard` is when the newest heartbeat here was
    written. Until then the primary was surely heard, and the age is the lag; afterwards the age grows with the clock. A
    replica that fell behind from one minute to the next is taken to have gone on so.
    """
    known = [age for began, age in ages if began <= heard]
    if not known:
        return None
    before, last = known[-2] if len(known) > 1 else known[-1], known[-1]
    return last + max(last - before, 0.0)
