"""What comes next, from what was seen: pure functions over an Observation. The guard lives here, too.

Nothing is remembered between two runs but by the systems themselves: `Progress` holds only what this run has waited
for or proven, and a run that begins anew waits and proves again.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from bicoastal.operate.sight import Gate, Observation, Side
from bicoastal.operate.transitions import State
from bicoastal.stacks.view import Condition

FRESH_BEATS = 5.0
"""Heartbeats, of a second each, within which a primary counts as alive."""


class Doubt(StrEnum):
    """What the guard may refuse for; each is overridden by --force, with a reason."""

    READS = "reads"
    LAG = "lag"
    BACKUP = "backup"
    HOME_ALIVE = "home is alive"
    CHANGE = "change in progress"


@dataclass(frozen=True)
class Objection:
    """One reason not to promote."""

    doubt: Doubt
    text: str
    """What was seen, and what it would cost."""


@dataclass(frozen=True)
class Progress:
    """What this run has seen through."""

    drained: bool = False
    """The time for readers is over."""
    fence_awaited: bool = False
    proven: bool = False
    """A write was seen to work."""
    tagged: bool = False


def target_epoch(here: Side) -> int | None:
    """The epoch that a takeover by this side begins, or has begun; None where it cannot be known."""
    latched = here.switch_epoch
    known = here.kit.epoch if here.kit is not None else None
    if known is None:
        return latched
    if latched is not None and latched >= known:
        # On, and not a left-over of an earlier failover, whose epoch is below the database's own.
        return latched
    return known + 1


def state_of(observation: Observation, progress: Progress) -> State:
    """Where the region that takes over stands."""
    here = observation.here
    if _promoting(here):
        return State.PROMOTING
    if here.alone and here.instance is not None:
        return _after_promotion(here, progress)
    if _latched(here):
        return State.CUT_OFF if progress.fence_awaited else State.SWITCHED
    if here.gate is not Gate.CLOSED:
        return State.SERVING
    if progress.drained or (here.kit is not None and here.kit.reading == 0):
        return State.DRAINED
    return State.DRAINING


def _promoting(here: Side) -> bool:
    stack = here.stacks.get("database")
    busy = stack is not None and stack.condition is Condition.BUSY
    restarting = here.alone and here.instance is not None and here.instance.status != "available"
    return busy or restarting


def _latched(here: Side) -> bool:
    """The switch announces an epoch that the database does not have yet."""
    latched = here.switch_epoch
    known = here.kit.epoch if here.kit is not None else None
    return latched is not None and (known is None or latched > known)


def _after_promotion(here: Side, progress: Progress) -> State:
    kit = here.kit
    if kit is None or kit.epoch is None or kit.epoch != target_epoch(here) or kit.fence is not None:
        return State.PROMOTED
    if here.gate is not Gate.OPEN or not progress.proven:
        return State.WRITABLE
    if not recorded(here):
        return State.OPEN
    return State.MOVED if progress.tagged else State.RECORDED


def recorded(here: Side) -> bool:
    """Whether the stacks say what is: `deploy` reads them back and keeps it."""
    return (
        here.role == "primary"
        and here.parameter("service", "Switch") == here.switch
        and here.parameter("service", "ReadGate") == here.gate
        and here.parameter("backup", "DatabaseRole") == "primary"
    )


def objections(observation: Observation, *, lag_s: float | None, budget_s: float) -> tuple[Objection, ...]:
    """The guard: why the replica should not be promoted now. `lag_s` is that of its last contact with the primary."""
    found = [
        _reads(observation.here),
        _lag(observation.here, lag_s, budget_s),
        _backup(observation.here),
        _home_alive(observation),
        _change(observation.here),
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


def _backup(here: Side) -> Objection | None:
    if here.instance is not None and here.instance.status == "backing-up":
        return Objection(
            Doubt.BACKUP,
            f"{here.instance.identifier} is being backed up, and RDS refuses to promote it meanwhile. Its window is "
            f"{here.instance.backup_window} UTC.",
        )
    return None


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


def _change(here: Side) -> Objection | None:
    busy = [stack.name for stack in here.stacks.values() if stack.condition is Condition.BUSY]
    if busy:
        return Objection(Doubt.CHANGE, f"a change of {', '.join(busy)} is in progress in {here.region}.")
    return None


def lag_at_last_contact(ages: Collection[float]) -> float | None:
    """From the heartbeat's age, newest last, one figure for each minute: the last one before it only grew.

    While the replica hears its primary the age is its lag; from the last contact on, it grows with the clock.
    """
    known = list(ages)
    if not known:
        return None
    index = len(known) - 1
    while index > 0 and known[index - 1] < known[index]:
        index -= 1
    return known[index]
