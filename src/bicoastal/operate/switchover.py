"""Switchover: the planned move, with no acknowledged write lost. Both regions are asked, for both are there.

Everything slow is done while writes go on. Whatever fails before the promotion is undone: the primary takes writes
again, in the epoch that it had. Killed in between, the same command goes on; asked for the region that the writes were
in, it goes back instead.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from bicoastal.aws.session import Session
from bicoastal.aws.waiting import Waiter
from bicoastal.core.errors import BicoastalError, Refused, SystemFault
from bicoastal.operate import beside
from bicoastal.operate.decide import (
    FRESH_BEATS,
    Doubt,
    Objection,
    backup_objection,
    change_objection,
    stopped,
    switchover_epoch,
    switchover_state,
)
from bicoastal.operate.failover import DRAIN_S
from bicoastal.operate.fencing import keep_off
from bicoastal.operate.journal import Journal
from bicoastal.operate.ledger import PROMOTED, Ledger
from bicoastal.operate.observe import observe_both
from bicoastal.operate.sight import Gate, Observation, Side
from bicoastal.operate.subject import Subject
from bicoastal.operate.transitions import Operation, State, Step, Transition
from bicoastal.operate.walk import Report, Tell, Walk
from bicoastal.stacks.changes import Proposal, discard

SHORT_READS_S = 2.0
"""By the kit's clocks: reads that last longer are waited for while writes go on."""
REPLAY_S = 30.0
"""A replica that has not replayed the fence by then is not promoted: writes go on where they were."""


class Switchover(Walk):
    """One switchover to a region."""

    operation = Operation.SWITCHOVER

    def __init__(
        self,
        session: Session,
        subject: Subject,
        *,
        region: str,
        journal: Journal,
        tell: Tell,
        drain_s: float = DRAIN_S,
    ) -> None:
        """`drain_s`: how long reads in the region may take to finish, by the kit's clocks."""
        super().__init__(session, subject, region=region, journal=journal, tell=tell)
        self._drain_s = drain_s
        self._ledger = Ledger(session, region, journal.bucket)
        self._there = Side(subject.other(region), answered=False)
        self._proposal: Proposal | None = None
        self._raised: Callable[[], bool] = lambda: False
        """Whether the kit has answered that the epoch is raised; waits for it where it was asked."""
        self._stopping: Callable[[], Mapping[str, Any]] | None = None
        """Waits for the fence on the primary, where it was asked for."""
        self.replay_s = REPLAY_S
        self.pause: tuple[float, float] | None = None
        """When writes were stopped and when they were seen to work again, in seconds since the epoch."""

    def run(self) -> Report:
        """Walk the table to its end. Raises Refused where it cannot be without loss; then everything is as it was."""
        self._look()
        self._here, self._there = self._sure(self._here), self._sure(self._there)
        seen = Observation(self._here, self._there, time.time())
        state = switchover_state(seen, self._progress)
        self._journal.write("assessed", region=self._region, state=state)
        if self._there.instance is not None and self._there.instance.source:
            return self._stay()
        self.report.epoch = switchover_epoch(seen)
        if self.report.epoch is None:
            why = self._here.kit_unknown or "its kit does not reach it"
            raise SystemFault(f"The database in {self._region} is not seen: {why}.\n    -> {_KITS}.")
        if state in _UNDONE:
            self._refuse(self.objections(seen))
        try:
            return self._walk(state)
        except (BicoastalError, KeyboardInterrupt):
            # An operator who changes his mind must not leave a fence behind.
            self._undo()
            raise

    def plan(self) -> tuple[State, tuple[Objection, ...]]:
        """Where it would begin, and what speaks against it now. Changes nothing."""
        seen = self._look()
        self.report.epoch = switchover_epoch(seen)
        return switchover_state(seen, self._progress), self.objections(seen)

    def objections(self, seen: Observation) -> tuple[Objection, ...]:
        """Why it should not begin: nothing of this is overridden, for then it would be a failover."""
        here, there = seen.here, seen.there
        found = [
            _unknown(there),
            _unknown(here),
            _not_following(here),
            backup_objection(here),
            change_objection(here),
            change_objection(there),
        ]
        return tuple(item for item in found if item is not None)

    def _do(self, transition: Transition) -> None:
        here = self._here
        match transition.step:
            case Step.CLOSE_GATE:
                self._here = self._set_gate(here, Gate.CLOSED)
            case Step.AWAIT_READERS:
                self._drain()
            case Step.PREPARE:
                self._note_lossless()
                self._proposal = self._acts.prepare_promotion(here)
                self._progress = replace(self._progress, prepared=True)
            case Step.STOP_WRITES:
                self._stop_writes()
            case Step.AWAIT_REPLAY:
                self._await_replay()
            case _:
                self._do_after(transition)

    def _do_after(self, transition: Transition) -> None:
        """From the promotion on."""
        here = self._here
        match transition.step:
            case Step.PROMOTE:
                self._acts.promote(self._proposal or self._acts.prepare_promotion(here))
                self._raised = self._acts.raise_epoch_when_promoted(here, self._epoch())
                # Beside the pause; once more where nothing waits, for one that was killed.
                self._beside("keep servers off the former primary", self._keep_off)
            case Step.AWAIT_PROMOTION:
                self._acts.await_promotion(here)
            case Step.RAISE_EPOCH:
                if not self._raised():
                    self._acts.raise_epoch(here, self._epoch())
                self._progress = replace(self._progress, proven=True)
                if self.pause is not None:
                    self.pause = (self.pause[0], time.time())
            case Step.OPEN_GATE:
                self._here = self._set_gate(here, Gate.OPEN)
            case Step.LATCH_SWITCH:
                body = f"on:{self._epoch()};"
                self._acts.set_switch(here, body)
                self._here = replace(here, switch=body)
                self._beside("grow the fleet", lambda: self._acts.grow_fleet(self._here))
                self._keep_off_or_say()
            case Step.RECORD:
                self._acts.record(self._here)
            case _:
                raise AssertionError(f"{transition.step} is no step of a switchover")

    def _look(self) -> Observation:
        seen = observe_both(self._session, self._subject, self._region)
        self._here, self._there = seen.here, seen.there
        return seen

    def _note_lossless(self) -> None:
        """For a rejoin: there will be nothing that only the former primary has."""
        document = {"region": self._region, "epoch": self._epoch(), "lossless": True, "at": time.time()}
        self._ledger.write(PROMOTED, document)

    def _keep_off_or_say(self) -> None:
        """Users are served by now: that the other region has gone meanwhile must not end it."""
        try:
            self._keep_off()
        except BicoastalError as error:
            self._note(f"servers are not kept off the former primary: {str(error).splitlines()[0]}")

    def _keep_off(self) -> str:
        return keep_off(self._session, self._subject, self._ledger)

    # The steps that wait.

    def _drain(self) -> None:
        """Until nobody reads here. Writes are stopped meanwhile where reads are short, for all wait for the later one.

        Short they are where none was under way when it was assessed. Where one lasts all the same, writes go on until
        it has ended.
        """
        kit = self._here.kit
        if kit is not None and kit.reading == 0:
            self._ask_to_stop()
            self._here = self._drained(self._here, min(SHORT_READS_S, self._drain_s))
            if self._here.kit is None or self._here.kit.reading != 0:
                self._take_back_the_stop()
        if self._stopping is None:
            self._here = self._drained(self._here, self._drain_s)
        self._see_drained()

    def _see_drained(self) -> None:
        kit = self._here.kit
        if kit is None or kit.reading is None:
            raise Refused(f"How many sessions read in {self._region} is unknown: {self._here.kit_unknown or _KITS}")
        if kit.reading:
            raise Refused(
                f"{kit.reading} sessions still read in {self._region}; a promotion would end them.\n"
                "    -> Give them more time: --drain SECONDS."
            )
        self._progress = replace(self._progress, drained=True)

    def _ask_to_stop(self) -> Callable[[], Mapping[str, Any]]:
        begun = time.time()
        self.pause = (begun, begun)
        parameters = {"Epoch": str(self._epoch()), "Reason": f"{_REASON}{self._region}"}
        there, fleet = self._there.region, self._there.fleet
        self._stopping = beside.begun(
            "stop writes",
            lambda: self._acts.insist(
                there, f"stopping writes in {there}", "fence", parameters, within_s=_FENCE_S, known=fleet
            ),
        )
        return self._stopping

    def _take_back_the_stop(self) -> None:
        if self._stopping is not None:
            stopping, self._stopping, self.pause = self._stopping, None, None
            with contextlib.suppress(BicoastalError):
                stopping()
            self._lift(self._there)
            self._note(f"reads last long in {self._region}: writes go on until they have ended")

    def _stop_writes(self) -> None:
        said = (self._stopping or self._ask_to_stop())()
        received = bool(said.get("received"))
        self._progress = replace(self._progress, replayed=received)
        self._journal.write("stopped", lsn=said.get("lsn"), received=received)

    def _await_replay(self) -> None:
        """The replica told its primary that it has all up to the fence on its disk, and a promotion replays that.

        Or it shows the fence itself, with its sessions ended: a later entry of WAL than any acknowledged write.
        """
        if not self._progress.drained:
            # An earlier run was killed as it stopped writes, and had not seen the last reader off.
            self._here = self._drained(self._here, self._drain_s)
            self._see_drained()
        if self._progress.replayed:
            return
        for _ in Waiter(self.replay_s, f"waiting for the replica in {self._region} to replay the fence"):
            self._here = self._with_kit(self._here)
            kit = self._here.kit
            if kit is not None and kit.fence is not None and kit.fenced and kit.fence_epoch == self._epoch():
                self._progress = replace(self._progress, replayed=True)
                self._journal.write("replayed", lsn=kit.replayed_lsn)
                return

    # Back.

    def _stay(self) -> Report:
        """The region is the primary. A switchover away from it that was killed is taken back."""
        kit = self._here.kit
        self.report.epoch = kit.epoch if kit is not None else None
        if kit is None or not (kit.fence or "").startswith(_REASON):
            raise Refused(f"{self._region} is the primary already, in epoch {self.report.epoch}. Nothing was changed.")
        self._lift(self._here)
        if self._there.gate is Gate.CLOSED:
            self._set_gate(self._there, Gate.OPEN)
        self._note(f"the switchover away from {self._region} is taken back: it takes writes again")
        return self.report

    def _undo(self) -> None:
        """To where it was, unless the promotion has begun. Raises Refused where it is another operator's by now."""
        self.lock.still()
        try:
            if self._stopping is not None:
                with contextlib.suppress(BicoastalError):
                    self._stopping()
            seen = self._look()
            if seen.here.alone or switchover_state(seen, self._progress) is State.PROMOTING:
                return
            if stopped(seen.there, self.report.epoch):
                self._lift(seen.there)
            if seen.here.gate is Gate.CLOSED:
                self._set_gate(seen.here, Gate.OPEN)
            if self._proposal is not None:
                discard(self._session, self._proposal)
            self._journal.write("undone")
            self._tell("everything is as it was: the primary takes writes, and reads are open")
        except BicoastalError as error:
            self._note(f"not everything could be put back: {str(error).splitlines()[0]}; run {_back(self._there)}")

    def _lift(self, side: Side) -> None:
        epoch = side.kit.epoch if side.kit is not None else None
        self._acts.insist(
            side.region, f"letting {side.region} write again", "unfence", {"Epoch": str(epoch)}, within_s=_FENCE_S
        )

    def _refuse(self, found: tuple[Objection, ...]) -> None:
        if not found:
            return
        self._journal.write("refused", objections=[item.text for item in found])
        reasons = "\n".join(f"  {item.doubt}: {item.text}" for item in found)
        raise Refused(
            f"Switchover to {self._region} is refused, and everything is as it was:\n{reasons}\n"
            f"    -> Wait until that is over. With {self._there.region} lost it is a failover."
        )


_FENCE_S = 60.0
_REASON = "switchover to "
"""Begins the reason of its fence: what is not lifted by itself, and by whoever asks for the way back."""
_KITS = "one instance in service is needed, whose kit reaches its database"
_UNDONE = (State.SERVING, State.DRAINING, State.DRAINED)
"""States in which nothing has been done that would have to be gone on with."""


def _back(there: Side) -> str:
    return f"`bicoastal switchover --to {there.region}`"


def _unknown(side: Side) -> Objection | None:
    if side.kit is not None and side.kit.role != "unreachable":
        return None
    return Objection(Doubt.UNSEEN, f"the database in {side.region} is not seen: {side.kit_unknown or _KITS}.")


def _not_following(here: Side) -> Objection | None:
    kit = here.kit
    if kit is None:
        return None
    fresh = kit.heartbeat_age_s is not None and kit.heartbeat_age_s <= FRESH_BEATS * kit.second_s
    if kit.receiver == "streaming" and fresh:
        return None
    age = "unknown" if kit.heartbeat_age_s is None else f"{kit.heartbeat_age_s:.1f} s"
    return Objection(
        Doubt.LAG,
        f"the replica in {here.region} does not keep up: its receiver is {kit.receiver}, its heartbeat's age {age}.",
    )
