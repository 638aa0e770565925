"""Rejoin: makes a replica of the side that was lost, or left by a switchover. No emergency: both regions are asked.

The former primary is fenced before anything else and kept under its generation; the next generation is built beside it.
Where things stand is looked up after every step, so that it goes on from wherever it was killed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from bicoastal.aws.faults import UNKNOWN_ACTION, ApiFault
from bicoastal.aws.session import Session
from bicoastal.aws.waiting import Waiter
from bicoastal.core.errors import Refused, SystemFault
from bicoastal.operate import beside, divergence, fencing, tags
from bicoastal.operate.decide import named, rejoin_state, wanted_inputs
from bicoastal.operate.journal import Journal
from bicoastal.operate.ledger import PROMOTED, Ledger
from bicoastal.operate.observe import ALL_KINDS, observe_both
from bicoastal.operate.sight import SWITCH_OFF, Gate, Observation, Side
from bicoastal.operate.subject import Subject
from bicoastal.operate.transitions import Operation, State, Step, Transition
from bicoastal.operate.walk import Report, Tell, Walk
from bicoastal.stacks.changes import Desired, Proposal, discard, propose, replaced
from bicoastal.stacks.probes import probed_checks, watch
from bicoastal.stacks.recovery import make_ready

BOOT_S = 900.0
"""Until a server of a fleet that was set to zero answers."""
STREAM_S = 3600.0
"""A new replica catches up with what was written while it was built."""
_INSTANCE = "DatabaseInstance"
_DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation")


def survivor(session: Session, subject: Subject) -> str:
    """The region of the primary: what stands alone in the highest epoch. Raises Refused where that is not clear."""
    seen = observe_both(session, subject, subject.home)
    alone = [side for side in (seen.here, seen.there) if side.alone]
    if len(alone) == 1:
        return alone[0].region
    known = sorted((max(side.switch_epoch or 0, _epoch_of(side)), side.region) for side in alone)
    if len(known) == 2 and known[0][0] < known[1][0]:
        return known[1][1]
    raise Refused(
        "Which region has the primary is not clear: "
        + ("neither database stands alone." if not alone else f"both stand alone in epoch {known[0][0]}.")
        + "\n    -> `bicoastal status` shows both."
    )


class Rejoin(Walk):
    """One rejoin of the other region to the primary's."""

    operation = Operation.REJOIN

    def __init__(
        self,
        session: Session,
        subject: Subject,
        *,
        region: str,
        journal: Journal,
        tell: Tell,
        without_list: bool = False,
    ) -> None:
        """`without_list`: go on though nobody can say what the former primary alone has."""
        super().__init__(session, subject, region=region, journal=journal, tell=tell)
        self._there = Side(subject.other(region), answered=False)
        self._ledger = Ledger(session, region, journal.bucket)
        self._without_list = without_list

    def run(self) -> Report:
        """Walk the table to its end. Raises Refused where this region is not the primary, SystemFault on the way."""
        self._look()
        self._here = self._sure(self._here)
        seen = Observation(self._here, self._there, time.time())
        kit = seen.here.kit
        if kit is None or kit.epoch is None or kit.role != "primary" or kit.fence is not None:
            raise Refused(
                f"The database in {self._region} is not seen to be the primary: "
                f"{seen.here.kit_unknown or (kit and (kit.fence or kit.role))}. Nothing was changed.\n"
                f"    -> Finish the failover first: `bicoastal failover --to {self._region}`."
            )
        self.report.epoch = kit.epoch
        state = rejoin_state(seen, self._progress)
        if state is State.SWITCHED_OFF and not tags.read_ledger(self._session, self._region, self._journal.bucket):
            # Not only this run's progress: nothing is overridden any more.
            self._progress = replace(self._progress, tagged=True)
        self._journal.write("assessed", region=self._region, state=state)
        return self._walk(rejoin_state(seen, self._progress))

    def plan(self) -> State:
        """Where it would begin. Changes nothing."""
        return rejoin_state(self._look(), self._progress)

    def _do(self, transition: Transition) -> None:
        match transition.step:
            case Step.SHUT_OTHER:
                self._acts.set_gate(self._there, Gate.CLOSED)
            case Step.FENCE:
                self._fence()
            case Step.LIST_WRITES:
                self._list_writes()
            case Step.BUILD:
                self._build()
            case Step.AWAIT_STREAMING:
                self._await_streaming()
            case Step.REFRESH_FLEETS:
                self._refresh(self._look())
            case Step.REOPEN_OTHER:
                there = self._look(kit_too=False).there
                self._acts.set_gate(there, Gate.OPEN)
                self._acts.move(there.stacks.get("service"), ReadGate=Gate.OPEN.value)
            case Step.MOVE_NAMES:
                self._move_names(self._look(kit_too=False))
            case Step.SWITCH_OFF:
                self._switch_off(self._look(kit_too=False))
            case Step.RESTORE_TAGS:
                self._restore_tags()
            case _:
                raise AssertionError(f"{transition.step} is no step of a rejoin")

    def _look(self, *, kit_too: bool = True) -> Observation:
        seen = observe_both(self._session, self._subject, self._region, kinds=ALL_KINDS, kit_too=kit_too)
        self._here, self._there = seen.here, seen.there
        return seen

    # The former primary.

    def _fence(self) -> None:
        """Its gate is shut: servers may come back and ask their database to be fenced, before anybody asks them."""
        there = self._there
        if there.instance is None:
            self._note(f"there is no database in {there.region} any more: nothing to fence, nothing to list")
            self._progress = replace(self._progress, fenced=True, listed=True)
            return
        said = fencing.restore(self._session, there.region, self._ledger)
        if said:
            self._tell(said)
        parameters = {"Epoch": str(self._epoch()), "Reason": fencing.SUPERSEDED}
        self._acts.insist(
            there.region, f"fencing the former primary in {there.region}", "fence", parameters, within_s=BOOT_S
        )
        self._progress = replace(self._progress, fenced=True)

    def _list_writes(self) -> None:
        if self._progress.listed:
            return
        region = self._there.region
        found = divergence.find(self._acts, self._journal, region, self._epoch())
        kept = self._there.instance.identifier if self._there.instance is not None else "the former instance"
        if found.rows is None and not self._without_list:
            raise Refused(
                f"What the former primary in {region} acknowledged and this one lacks cannot be told: {found.why}.\n"
                f"    -> Look at {kept} yourself; it is kept. Then go on with `bicoastal rejoin --without-list`."
            )
        self.report.diverged = found.rows
        if found.rows is None:
            self._note(f"what {region} alone had is not known ({found.why}); {kept} is kept")
        elif found.rows:
            self._note(f"{found.rows} rows were acknowledged in {region} and never got here: {found.file}")
        else:
            self._tell(f"no row of {region} is missing here")
        if found.unreadable:
            self._note(f"not looked at in {region}: {', '.join(found.unreadable)}")
        self._progress = replace(self._progress, listed=True)

    # The next generation.

    def _build(self) -> None:
        seen = self._look()
        stack = seen.there.stacks.get("database")
        source = seen.here.instance
        if stack is None or source is None:
            raise SystemFault("a database's stack is missing.\n    -> `bicoastal deploy` makes it.")
        ready = make_ready(
            self._session, stack.name, stack.region, note=lambda text: self._tell(f"{stack.name} {text}")
        )
        stranded = seen.here.kit is not None and seen.here.kit.stranded
        if ready is None or (ready.parameters["DatabaseRole"] == "replica" and not stranded):
            return
        if stranded and seen.there.instance is not None:
            self._note(
                f"{seen.there.instance.identifier} in {seen.there.region} cannot follow again: the WAL that it lacks "
                "is gone. Reads there show what it has until servers know the next generation; it is kept, delete it"
            )
        wanted = Desired.moved(
            ready,
            DatabaseRole="replica",
            DatabaseOrigin="replica",
            DatabaseGeneration=str(int(ready.parameters["DatabaseGeneration"]) + 1),
            SourceDatabaseArn=source.arn,
        )
        proposal = propose(self._session, wanted, ready)
        self._judge(proposal)
        self._acts.carry_out(ready, proposal)

    def _judge(self, proposal: Proposal) -> None:
        """The instance is made anew under another name, and nothing else that holds data is touched."""
        anew = replaced(proposal.changes)
        wrong = [
            change.logical_id
            for change in proposal.changes
            if change.type in ("AWS::KMS::Key", "AWS::RDS::DBSubnetGroup") and change.logical_id in anew
        ]
        if _INSTANCE in anew and not wrong:
            return
        discard(self._session, proposal)
        raise Refused(
            f"The next generation in {proposal.region} would not be built as it should be: "
            + (f"{', '.join(wrong)} would be replaced, too." if wrong else f"{_INSTANCE} would stay.")
            + " Nothing was changed.\n    -> `bicoastal plan` shows what differs from the spec."
        )

    def _await_streaming(self) -> None:
        for _ in Waiter(STREAM_S, f"waiting for the new replica in {self._there.region} to stream"):
            self._here = self._with_kit(self._here)
            if self._here.kit is not None and self._here.kit.follower:
                return

    def _refresh(self, seen: Observation) -> None:
        """Everything that names a database, in both regions at once; a group's own rules replace its servers.

        The new ones may ask the other region's database: those before them had the former primary's address.
        """
        moves: dict[str, Callable[[], None]] = {}
        for side, other in ((seen.here, seen.there), (seen.there, seen.here)):
            wanted: dict[str, dict[str, str]] = {}
            for kind, name, value in wanted_inputs(side, other):
                wanted.setdefault(kind, {})[name] = value
            for kind, parameters in wanted.items():
                moves[f"{kind} in {side.region}"] = _bound(self, side, kind, parameters)
        beside.together(moves)
        said = fencing.let_on(self._session, self._ledger)
        if said:
            self._tell(said)

    def _move(self, side: Side, kind: str, parameters: dict[str, str]) -> None:
        try:
            self._acts.move(side.stacks.get(kind), **parameters)
        except ApiFault as fault:
            if kind != "bootstrap" or fault.code not in _DENIED:
                raise
            # Whoever may change that stack chooses what reads every password: an operator need not be able to.
            self._note(f"{self._subject.stack(kind)} in {side.region} is left to the next `bicoastal deploy`")

    # Names.

    def _move_names(self, seen: Observation) -> None:
        """Checks first: records that believe a check which has not settled would say `taken over` again."""
        if named(seen):
            return
        home = next((side for side in (seen.here, seen.there) if "checks" in side.stacks), None)
        if home is None:
            return
        epochs = {"Epoch": str(self._epoch()), "NextEpoch": str(self._epoch() + 1)}
        checks = home.stacks["checks"]
        self._acts.move(checks, **epochs)
        try:
            watch(self._session, home.region, probed_checks(self._session, checks.id, home.region))
        except ApiFault as fault:
            if fault.code not in UNKNOWN_ACTION | {"InvalidInput"}:
                raise
            self._note("this endpoint does not answer GetHealthCheckStatus: look at the health checks yourself")
        self._acts.move(home.stacks.get("names"), **epochs, PrimaryRegion=self._region)

    def _switch_off(self, seen: Observation) -> None:
        for side in (seen.here, seen.there):
            if side.switch != SWITCH_OFF:
                self._acts.set_switch(side, SWITCH_OFF)
            self._acts.move(side.stacks.get("service"), Switch=SWITCH_OFF)

    def _restore_tags(self) -> None:
        outcome = tags.restore(self._session, self._subject, self._region, self._journal.bucket)
        if outcome.changed:
            self._tell(f"{outcome.changed} resources have the tags that they had")
        for arn, why in outcome.refused.items():
            self._note(f"could not be tagged: {arn}: {why}")
        # Where something else has moved the fleets, their step was passed over.
        fencing.let_on(self._session, self._ledger)
        fencing.forget(self._ledger)
        self._ledger.forget(PROMOTED)


def _bound(walk: Rejoin, side: Side, kind: str, parameters: dict[str, str]) -> Callable[[], None]:
    return lambda: walk._move(side, kind, parameters)


def _epoch_of(side: Side) -> int:
    return side.kit.epoch or 0 if side.kit is not None else 0
