"""Failover: the entry, and the walk over its table. It decides nothing that `decide` could.

The path asks the surviving region alone. Looks at the lost one, its fencing from outside and the growth of the fleet
run beside it; their outcomes are told when they come and waited for by nobody.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from bicoastal.aws.session import Session
from bicoastal.core.errors import BicoastalError, Refused, SystemFault
from bicoastal.operate import beside, fencing, tags
from bicoastal.operate.decide import Doubt, Objection, objections, primary, state_of, target_epoch
from bicoastal.operate.journal import Journal
from bicoastal.operate.lag import lag_of, streams
from bicoastal.operate.ledger import PROMOTED, Ledger
from bicoastal.operate.observe import Watcher
from bicoastal.operate.sight import Gate, Observation
from bicoastal.operate.subject import Subject
from bicoastal.operate.transitions import Operation, State, Step, Transition
from bicoastal.operate.walk import Report, Tell, Walk

DRAIN_S = 10.0
WITNESS_TTL_S = 10.0
"""A resolver may go on giving the witness's last answer for so long."""
ISOLATION_S = 15.0
"""The kit's default, for when no kit says its own."""
WITNESSED_S = 60.0
"""After the switch is latched a primary that is alive reads it: three probes of 10 s, a TTL of 10 s, and a margin."""
_NEAR_S = 1.5
_RETRY_S = 2.0


@dataclass(frozen=True)
class Wishes:
    """What the operator wants."""

    drain_s: float = DRAIN_S
    """How long reads may take to finish; in a rehearsal at a faster pace, by its clocks."""
    force: str = ""
    """Why the guard is to be overridden; empty: it is not."""


class Failover(Walk):
    """One failover to a region."""

    operation = Operation.FAILOVER

    def __init__(
        self,
        session: Session,
        subject: Subject,
        wishes: Wishes,
        *,
        region: str,
        journal: Journal,
        tell: Tell,
        aside: Session | None = None,
    ) -> None:
        """`aside` asks the lost region, beside the path: fewer attempts, shorter waits."""
        super().__init__(session, subject, region=region, journal=journal, tell=tell)
        self._wishes = wishes
        self._aside = aside or session
        self._watcher = Watcher(session, subject, region, aside=self._aside)
        self._ledger = Ledger(session, region, journal.bucket)
        self._known_lag_s: float | None = None
        """At the last contact: it does not change any more."""
        self._fenced = threading.Event()
        self._no_way_back = threading.Event()
        self._ended = threading.Event()

    def run(self) -> Report:
        """Walk the table to its end. Raises Refused, with everything as it was, where the guard says no."""
        seen = self._watcher.look()
        self._here = seen.here
        state = state_of(seen, self._progress)
        self._journal.write("assessed", region=self._region, state=state)
        self.report.epoch = target_epoch(seen.here)
        if primary(seen.here) and seen.here.switch_epoch != self.report.epoch:
            raise Refused(f"{self._region} is the primary already, in epoch {self.report.epoch}. Nothing was changed.")
        self._assess(seen, state)
        if state in _BESIDE:
            if state not in (State.SWITCHED, State.CUT_OFF):
                self._no_way_back.set()
            self._fence_beside()
        try:
            return self._walk(state)
        finally:
            self._ended.set()

    def plan(self) -> tuple[State, tuple[Objection, ...]]:
        """Where it would begin, and what the guard would say now. Changes nothing."""
        seen = self._watcher.look()
        self._watcher.wait_beside(0.5)
        seen = replace(seen, there=self._watcher.other)
        self._here = seen.here
        self.report.epoch = target_epoch(seen.here)
        return state_of(seen, self._progress), self._objections(seen)

    def _do(self, transition: Transition) -> None:
        here = self._here
        match transition.step:
            case Step.CLOSE_GATE:
                self._here = self._set_gate(here, Gate.CLOSED)
            case Step.AWAIT_READERS:
                self._drain()
            case Step.LATCH_SWITCH:
                self._latch()
            case Step.AWAIT_FENCE:
                self._await_fence()
            case Step.PROMOTE:
                self._promote()
            case Step.AWAIT_PROMOTION:
                self._acts.await_promotion(here)
            case Step.RAISE_EPOCH:
                self._acts.raise_epoch(here, self._epoch())
                self._progress = replace(self._progress, proven=True)
            case Step.OPEN_GATE:
                if not self._progress.proven:
                    self._acts.prove_writes(here)
                self._here = self._set_gate(here, Gate.OPEN)
            case Step.RECORD:
                self._acts.record(here)
            case Step.OVERRIDE_TAGS:
                self._override_tags()
            case _:
                raise AssertionError(f"{transition.step} is no step of a failover")

    # The guard.

    def _objections(self, seen: Observation) -> tuple[Objection, ...]:
        return objections(seen, lag_s=self._lag(), budget_s=self._subject.rpo_s)

    def _assess(self, seen: Observation, state: State) -> None:
        """What speaks against it before anything is touched: reads are drained first, and judged then."""
        if self.report.epoch is None:
            raise SystemFault(
                f"The epoch of the database in {self._region} is unknown: "
                f"{seen.here.kit_unknown or 'no kit says it'}.\n"
                "    -> A failover needs one instance in service there whose kit reaches the database."
            )
        if state in (State.SERVING, State.DRAINING, State.DRAINED):
            self._judge([item for item in self._objections(seen) if item.doubt is not Doubt.READS])

    def _judge(self, found: Sequence[Objection]) -> None:
        new = [item for item in found if item.doubt not in {known.doubt for known in self.report.overridden}]
        if not new:
            return
        if self._wishes.force:
            self.report.overridden += tuple(new)
            for item in new:
                self._journal.write("overridden", doubt=item.doubt, seen=item.text, reason=self._wishes.force)
                self._tell(f"overridden ({self._wishes.force}): {item.text}")
            self._beside("tell of the override", partial(self._announce, tuple(new)))
            return
        self.lock.still()
        if self._here.gate is Gate.CLOSED:
            self._acts.set_gate(self._here, Gate.OPEN)
        self._journal.write("refused", objections=[item.text for item in new])
        reasons = "\n".join(f"  {item.doubt}: {item.text}" for item in new)
        raise Refused(
            f"Failover to {self._region} is refused, and everything is as it was:\n{reasons}\n"
            f'    -> Wait, or override it for the record: bicoastal failover --to {self._region} --force "REASON"'
        )

    def _announce(self, overridden: Sequence[Objection]) -> str:
        """The audit's second place: nobody has to read the journal to learn that a guard was overridden."""
        self._journal.announce(
            "Guard overridden",
            region=self._region,
            reason=self._wishes.force,
            overridden=[f"{item.doubt}: {item.text}" for item in overridden],
        )
        return ""

    def _lag(self) -> float | None:
        """At its last contact: once that is over, it does not change any more."""
        if self._known_lag_s is not None and not streams(self._here):
            return self._known_lag_s
        found = lag_of(self._session, self._subject, self._here)
        if not streams(self._here):
            self._known_lag_s = found
        return found

    # The steps that wait.

    def _drain(self) -> None:
        self._here = self._drained(self._here, self._wishes.drain_s)
        self._progress = replace(self._progress, drained=True)
        # Everything is judged again: a home that has come back meanwhile should be switched over, not failed over.
        self._judge(self._objections(Observation(self._here, self._watcher.other, time.time())))

    def _latch(self) -> None:
        body = f"on:{self._epoch()};"
        self._acts.set_switch(self._here, body)
        self._here = replace(self._here, switch=body)
        self._beside("grow the fleet", lambda: self._acts.grow_fleet(self._here))
        self._fence_beside()

    def _await_fence(self) -> None:
        """Until the other primary cannot have acknowledged anything any more.

        One that hears neither witness nor replica fences itself: counted from its last heartbeat here. One that is
        heard again reads the switch; its fence arrives by WAL.
        """
        begun = time.monotonic()
        kept_off = beside.begun("keep servers off the other database", self._keep_off)
        kit = self._here.kit
        if kit is None:
            self._here = self._with_kit(self._here)
        while (left := self._until_fenced(begun)) > 0 and not self._fenced.is_set():
            self._fenced.wait(min(left, _NEAR_S if left <= _NEAR_S else left - _NEAR_S))
            if left > _NEAR_S and not self._fenced.is_set():
                # The last look is made within the wait, not after it.
                self._here = self._with_kit(self._here)
        kept_off()
        self._progress = replace(self._progress, fence_awaited=True)

    def _keep_off(self) -> None:
        """Servers here would write into a former primary that comes back now, and is not fenced yet."""
        try:
            said = fencing.keep_off(self._session, self._subject, self._ledger)
        except BicoastalError as error:
            self._note(f"servers are not kept off the other region's database: {str(error).splitlines()[0]}")
            return
        if said:
            self._tell(said)

    def _until_fenced(self, begun: float) -> float:
        """Seconds left."""
        kit = self._here.kit
        waited = time.monotonic() - begun
        second = kit.second_s if kit is not None else 1.0
        if self._alive_there() and waited < WITNESSED_S * second:
            # Its own kit says so: it may see the witness, and then its silence here proves no fence. It is told beside.
            return WITNESSED_S * second - waited
        if kit is None or kit.beat_at is None:
            if not waited:
                self._tell("when the other side was heard last is unknown: the whole time is waited")
            return ISOLATION_S + WITNESS_TTL_S - waited
        if kit.fence is not None and kit.fenced:
            return 0.0
        if waited >= WITNESSED_S * kit.second_s:
            self._note("exposure: the other side is still heard and does not say that it is fenced")
            return 0.0
        # Its round, a second, may just have begun.
        return kit.beat_at + kit.isolation_s + (WITNESS_TTL_S + 1) * kit.second_s - time.time()

    def _alive_there(self) -> bool:
        """By the newest look beside the path, the other side's own kit takes writes."""
        self._watcher.look_beside()
        kit = self._watcher.other.kit
        return kit is not None and kit.role == "primary" and kit.fence is None

    # The promotion.

    def _promote(self) -> None:
        """Note what the replica has, then promote it; nothing where somebody else did."""
        here, kit = self._here, self._here.kit
        if here.alone:
            self._no_way_back.set()
            return
        self._ledger.write(
            PROMOTED,
            {
                "region": self._region,
                "epoch": self._epoch(),
                "snapshot": kit.snapshot if kit is not None else None,
                "lsn": kit.replayed_lsn if kit is not None else None,
                "heartbeat_age_s": kit.heartbeat_age_s if kit is not None else None,
                "at": time.time(),
            },
        )
        self._acts.promote(self._acts.prepare_promotion(here))
        self._no_way_back.set()

    def _override_tags(self) -> None:
        if not self._subject.failover_tags:
            return
        outcome = tags.override(self._session, self._subject, self._region, self._journal.bucket)
        self._tell(
            f"{outcome.changed} resources have the tags of a failover; "
            "what is of no region (IAM, Route 53, dashboards) and the stacks keep theirs"
        )
        for arn, why in outcome.refused.items():
            self._note(f"could not be tagged: {arn}: {why}")

    # Beside the path.

    def _fence_beside(self) -> None:
        """As soon as the lost region's API answers, and as long as this operation lasts."""
        self._beside("fence what can be reached", self._fence_what_answers)

    def _fence_what_answers(self) -> str:
        """The kit's fence at once; servers and rules only when nobody can want them back without a rejoin."""
        region = self._subject.other(self._region)
        while True:
            self.lock.still()
            try:
                fencing.fence_by_kit(self._aside, self._subject, region, self._epoch())
                self._fenced.set()
            except BicoastalError as error:
                self._journal.write("beside", text=f"kit fence in {region}: {str(error).splitlines()[0]}")
            while not self._no_way_back.wait(_RETRY_S):
                if self._ended.is_set():
                    return ""
            self.lock.still()  # after a rejoin and a switchover that region has the primary
            try:
                return fencing.fence_from_outside(self._aside, self._subject, region, self._ledger)
            except BicoastalError as error:
                self._journal.write("beside", text=f"fence of {region} from outside: {str(error).splitlines()[0]}")
            if self._ended.wait(_RETRY_S):
                return ""


_BESIDE = (State.SWITCHED, State.CUT_OFF, State.PROMOTING, State.PROMOTED, State.WRITABLE, State.OPEN, State.RECORDED)
"""States in which an operation that goes on finds the switch latched: whoever is superseded may be fenced."""
