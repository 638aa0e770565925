"""Decides whether a primary must stop taking writes. Touches nothing: what was seen goes in, what to do comes out.

Two databases must never take writes at once, whatever is cut off from what. So a primary may write only while it has a
reason to believe that nobody was promoted in its place:

- The witness names a higher epoch: somebody was promoted. Fence as `superseded`. Nothing but an operator, with an epoch
  higher still, ever lifts that.
- Neither the witness nor the other region's replica was seen for `isolation` seconds: somebody may have been promoted,
  and the news cannot arrive. Fence as `isolated`. `failover` waits that long (and one TTL of the witness) before it
  promotes, or says that writes may be taken on both sides meanwhile.
- Without a replica that has streamed in this epoch nobody can have been promoted: a lost resolver must not stop the
  only database there is. So isolation is judged only when a replica is expected.

A fence for isolation is lifted when it is proven that nobody was promoted meanwhile. The witness alone does not prove
it: it still names the old epoch between a promotion and the switch. A replica that streams from this database proves
it, for a promoted server streams from nobody. So both must be seen, at this database's own epoch, without a break for
`lift` seconds. If the other region is lost for good this never comes; then an operator, who knows, calls `unfence`.

Sightings are shared through the database: one instance that sees the witness speaks for all, and one whose own
resolver is broken fences nobody.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bicoastal.kit.witness import WitnessAnswer


class Reason(StrEnum):
    """Why a database is fenced, as the kit writes it. Operators may give others."""

    SUPERSEDED = "superseded"
    ISOLATED = "isolated"


@dataclass(frozen=True)
class Fence:
    """Stop writes. `epoch` is the one that stands against this database's."""

    epoch: int
    reason: str


@dataclass(frozen=True)
class Lift:
    """Take writes again, in the same epoch."""

    epoch: int


@dataclass(frozen=True)
class Limits:
    """Seconds; see `config.Intervals`."""

    isolation: float
    lift: float


@dataclass(frozen=True)
class Sight:
    """What is known at one moment about the local database, a primary. Ages and spans in seconds; None: never."""

    epoch: int
    fence: Fence | None
    replica_expected: bool
    """A replica of the other region has streamed in this epoch."""
    testimony: WitnessAnswer | None
    """The witness's latest answer to this instance, if it is recent."""
    witness_age: float | None
    """Since any instance saw the witness at this database's epoch or below."""
    replica_age: float | None
    """Since any instance saw the other region's replica confirm something."""
    watching: float
    """How long this instance has watched without a break: what it has not looked for is not missing."""
    agreed: float
    """How long witness (at exactly this epoch) and replica have both been there without a break."""


def decide(sight: Sight, limits: Limits) -> Fence | Lift | None:
    """What to do now; None is nothing."""
    if sight.testimony is not None and sight.testimony.epoch > sight.epoch:
        fence = Fence(sight.testimony.epoch, Reason.SUPERSEDED)
        return None if _stands(sight.fence, fence) else fence
    if sight.fence is not None:
        liftable = sight.fence.reason == Reason.ISOLATED and sight.agreed >= limits.lift
        return Lift(sight.epoch) if liftable else None
    if not sight.replica_expected or sight.watching < limits.isolation:
        return None
    if _missing(sight.witness_age, limits) and _missing(sight.replica_age, limits):
        return Fence(sight.epoch, Reason.ISOLATED)
    return None


def _stands(existing: Fence | None, wanted: Fence) -> bool:
    if existing is None:
        return False
    return existing.epoch > wanted.epoch or (existing.epoch == wanted.epoch and existing.reason == wanted.reason)


def _missing(age: float | None, limits: Limits) -> bool:
    return age is None or age >= limits.isolation
