"""Failover: the entry, and the walk over the table. It decides nothing that `decide` could, and changes nothing itself.

The path asks the surviving region alone. Looks at the lost one, its fencing from outside and the growth of the fleet
run beside it; their outcomes are told when they come and waited for by nobody.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from bicoastal.aws.faults import aws_faults
from bicoastal.aws.session import Session
from bicoastal.core.errors import BicoastalError, Refused, SystemFault
from bicoastal.operate import kit, tags
from bicoastal.operate.act import Acts
from bicoastal.operate.decide import (
    Doubt,
    Objection,
    Progress,
    lag_at_last_contact,
    objections,
    state_of,
    target_epoch,
)
from bicoastal.operate.journal import Journal
from bicoastal.operate.observe import Watcher
from bicoastal.operate.sight import Gate, Observation, Side
from bicoastal.operate.subject import Subject
from bicoastal.operate.transitions import Operation, State, Step, Transition, row

DRAIN_S = 10.0
WITNESS_TTL_S = 10.0
"""A resolver may go on giving the witness's last answer for so long."""
_LOOK_S = 0.2
_SERIES_MINUTES = 15

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Wishes:
    """What the operator wants."""

    drain_s: float = DRAIN_S
    """How long reads may take to finish; in a rehearsal at a faster pace, by its clocks."""
    force: str = ""
    """Why the guard is to be overridden; empty: it is not."""


@dataclass(frozen=True)
class Done:
    """One step as it went."""

    state: State
    step: Step
    seconds: float
    text: str


@dataclass
class Report:
    """How a failover went."""

    region: str
    epoch: int | None = None
    begun: float = field(default_factory=time.time)
    steps: list[Done] = field(default_factory=list)
    overridden: tuple[Objection, ...] = ()
    beside: list[str] = field(default_factory=list)
    """What was done and seen beside the path."""

    @property
    def seconds(self) -> float:
        """From the first look to the end."""
        return sum(step.seconds for step in self.steps)


class Failover:
    """One failover to a region."""

    def __init__(
        self, session: Session, subject: Subject, wishes: Wishes, *, region: str, journal: Journal, tell: Tell
    ) -> None:
        self._session = session
        self._subject = subject
        self._region = region
        self._wishes = wishes
        self._journal = journal
        self._tell = tell
        self._watcher = Watcher(session, subject, region)
        self._acts = Acts(session, subject, region, tell)
        self._progress = Progress()
        self.report = Report(region)

    def run(self) -> Report:
        """Walk the table to its end. Raises Refused, with everything as it was, where the guard says no."""
        seen = self._watcher.look()
        self._journal.write("assessed", region=self._region, state=state_of(seen, self._progress))
        self.report.epoch = target_epoch(seen.here)
        self._assess(seen)
        here, state = seen.here, state_of(seen, self._progress)
        while True:
            transition = row(Operation.FAILOVER, state)
            if transition.step is Step.DONE:
                self._said(transition, 0.0)
                return self.report
            begun = time.monotonic()
            self._journal.write("begins", step=transition.step, state=state, epoch=self.report.epoch)
            here = self._do(transition, here)
            self._said(transition, time.monotonic() - begun)
            state = transition.then

    def plan(self) -> tuple[State, tuple[Objection, ...]]:
        """Where it would begin, and what the guard would say now. Changes nothing."""
        seen = self._watcher.look()
        self._watcher.wait_beside(1.0)
        seen = replace(seen, there=self._watcher.look(kit_too=False).there)
        self.report.epoch = target_epoch(seen.here)
        return state_of(seen, self._progress), self._objections(seen)

    def _do(self, transition: Transition, here: Side) -> Side:
        """Take a step; returns the side as it is then."""
        match transition.step:
            case Step.CLOSE_GATE:
                here = self._set_gate(here, Gate.CLOSED)
            case Step.AWAIT_READERS:
                here = self._drain(here)
            case Step.LATCH_SWITCH:
                here = self._latch(here)
            case Step.AWAIT_FENCE:
                self._await_fence(here)
            case Step.PROMOTE:
                self._acts.promote(here)
            case Step.AWAIT_PROMOTION:
                self._acts.await_promotion(here)
                here = self._watcher.look(kit_too=False).here
            case Step.RAISE_EPOCH:
                self._acts.raise_epoch(here, self._epoch())
            case Step.OPEN_GATE:
                self._acts.prove_writes(here)
                here = self._set_gate(here, Gate.OPEN)
            case Step.RECORD:
                self._acts.record(here)
            case Step.OVERRIDE_TAGS:
                self._override_tags()
            case _:
                raise AssertionError(f"{transition.step} is no step of a failover")
        return here

    def _override_tags(self) -> None:
        if not self._subject.failover_tags:
            return
        outcome = tags.override(self._session, self._subject, self._region, self._journal.bucket)
        self._tell(f"{outcome.changed} resources have the tags of a failover")
        for arn, why in outcome.refused.items():
            self._tell(f"could not be tagged: {arn}: {why}")

    def _set_gate(self, here: Side, gate: Gate) -> Side:
        self._acts.set_gate(here, gate)
        return replace(here, gate=gate)

    # The guard.

    def _objections(self, seen: Observation) -> tuple[Objection, ...]:
        return objections(seen, lag_s=self._lag(), budget_s=self._subject.rpo_s)

    def _assess(self, seen: Observation) -> None:
        """What speaks against it before anything is touched: reads are drained first, and judged then."""
        if self.report.epoch is None:
            raise SystemFault(
                f"The epoch of the database in {self._region} is unknown: "
                f"{seen.here.kit_unknown or 'no kit says it'}.\n"
                "    -> A failover needs one instance in service there whose kit reaches the database."
            )
        if state_of(seen, self._progress) in (State.SERVING, State.DRAINING, State.DRAINED):
            self._judge([item for item in self._objections(seen) if item.doubt is not Doubt.READS], seen.here)

    def _judge(self, found: list[Objection], here: Side) -> None:
        if not found:
            return
        if self._wishes.force:
            self.report.overridden += tuple(found)
            for item in found:
                self._journal.write("overridden", doubt=item.doubt, seen=item.text, reason=self._wishes.force)
                self._tell(f"overridden ({self._wishes.force}): {item.text}")
            return
        if here.gate is Gate.CLOSED and here.role == "replica":
            self._acts.set_gate(here, Gate.OPEN)
        self._journal.write("refused", objections=[item.text for item in found])
        reasons = "\n".join(f"  {item.doubt}: {item.text}" for item in found)
        raise Refused(
            f"Failover to {self._region} is refused, and everything is as it was:\n{reasons}\n"
            f'    -> Wait, or override it for the record: bicoastal failover --to {self._region} --force "REASON"'
        )

    def _lag(self) -> float | None:
        """How far the replica was behind at its last contact, by the kit's own figures in this region."""
        end = time.time()
        try:
            with aws_faults(f"reading the heartbeat's age in {self._region}"):
                answer = self._session.client("cloudwatch", self._region).get_metric_data(
                    MetricDataQueries=[_heartbeat(self._subject)],
                    StartTime=end - 60 * _SERIES_MINUTES,
                    EndTime=end,
                    ScanBy="TimestampAscending",
                )
        except BicoastalError:
            return None
        return lag_at_last_contact(answer["MetricDataResults"][0]["Values"])

    # The steps that wait.

    def _drain(self, here: Side) -> Side:
        second = here.kit.second_s if here.kit is not None else 1.0
        end = time.monotonic() + self._wishes.drain_s * second
        now = self._with_kit(here)
        while (now.kit is None or now.kit.reading) and time.monotonic() < end:
            time.sleep(_LOOK_S * second)
            now = self._with_kit(here)
        self._progress = replace(self._progress, drained=True)
        seen = Observation(now, self._watcher.look(kit_too=False).there, time.time())
        self._judge([item for item in self._objections(seen) if item.doubt is Doubt.READS], now)
        return now

    def _latch(self, here: Side) -> Side:
        body = f"on:{self._epoch()};"
        self._acts.set_switch(here, body)
        self._beside("grow the fleet", lambda: self._acts.grow_fleet(here))
        return replace(here, switch=body)

    def _await_fence(self, here: Side) -> None:
        """Until a primary that hears neither witness nor replica has fenced itself, counted from the last heartbeat."""
        now = self._with_kit(here)
        if now.kit is None or now.kit.heartbeat_age_s is None:
            self._tell("exposure: when the other side was heard last is unknown; it may still acknowledge writes")
            wait_s = 15.0 + WITNESS_TTL_S
        else:
            wait_s = now.kit.isolation_s + WITNESS_TTL_S * now.kit.second_s - now.kit.heartbeat_age_s
        if wait_s > 0:
            self._tell(f"waiting {wait_s:.1f} s for the other side to fence itself")
            time.sleep(wait_s)
        self._progress = replace(self._progress, fence_awaited=True)

    def _with_kit(self, here: Side) -> Side:
        try:
            instances = here.fleet.in_service if here.fleet is not None else ()
            return replace(here, kit=kit.ask(self._session, self._subject, self._region, instances), kit_unknown="")
        except BicoastalError as error:
            return replace(here, kit=None, kit_unknown=str(error).splitlines()[0])

    def _epoch(self) -> int:
        if self.report.epoch is None:
            raise AssertionError("it was assessed first")
        return self.report.epoch

    def _beside(self, what: str, act: Callable[[], str]) -> None:
        def run() -> None:
            try:
                said = act()
            except BicoastalError as error:
                said = f"{what}: {str(error).splitlines()[0]}"
            if said:
                self.report.beside.append(said)
                self._tell(f"beside: {said}")

        threading.Thread(target=run, name=what, daemon=True).start()

    def _said(self, transition: Transition, seconds: float) -> None:
        self.report.steps.append(Done(transition.state, transition.step, seconds, transition.comment))
        self._journal.write("done", step=transition.step, seconds=round(seconds, 3), then=transition.then)
        self._tell(f"{transition.step} ({seconds:.1f} s): {transition.comment}")


def _heartbeat(subject: Subject) -> dict[str, object]:
    metric = {
        "Namespace": f"Bicoastal/{subject.prefix}",
        "MetricName": "HeartbeatAge",
        "Dimensions": [{"Name": "AutoScalingGroupName", "Value": f"{subject.prefix}-fleet"}],
    }
    return {"Id": "age", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Minimum"}}
