"""A new version is watched for a while by CloudFormation itself, which takes it back when its alarm rings.

Which changes are watched, and by which alarm, says the manifest. Only a change of what is there already is watched: a
creation has no alarm yet, and nothing to go back to. An alarm that rings before, or that an older deployment has not,
would fail the change at once: it is left out, and that is said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from bicoastal.aws.faults import ApiFault, aws_faults
from bicoastal.aws.session import Session
from bicoastal.cfn.manifest import StackEntry
from bicoastal.deploy.moments import Moment, Noted, Watched
from bicoastal.stacks.changes import Desired, Proposal, discard, propose
from bicoastal.stacks.view import UNWATCHED, StackView, Watch
from bicoastal.stacks.watch import Event


@dataclass(frozen=True)
class Alarm:
    """The alarm of a stack that takes its changes back, as CloudWatch says now."""

    name: str
    arn: str
    state: str
    reason: str

    @property
    def rings(self) -> bool:
        """It is in ALARM."""
        return self.state == "ALARM"


def propose_watched(session: Session, entry: StackEntry, wanted: Desired, current: StackView | None) -> Proposal:
    """The change set of an entry, watched where it should be.

    First as the stack was watched before, so that a stack that is as it should be is found so; then, where this change
    asks for something else, anew.
    """
    kept = UNWATCHED if current is None else current.watch
    found = propose(session, replace(wanted, watch=kept), current)
    due, _ = due_watch(session, entry, found, current)
    if found.empty or due == kept:
        return found
    discard(session, found)
    return propose(session, replace(wanted, watch=due), current)


def due_watch(session: Session, entry: StackEntry, proposal: Proposal, current: StackView | None) -> tuple[Watch, str]:
    """How a change is to be watched; and why it is not, where it should be and can't."""
    watch = entry.watch
    if watch is None or current is None or proposal.creates:
        return UNWATCHED, ""
    if not any(change.logical_id in watch.resources for change in proposal.changes):
        return UNWATCHED, ""
    alarm = alarm_of(session, entry)
    if alarm is None:
        return UNWATCHED, f"is not watched: it has no {watch.alarm} yet, which this deployment brings"
    if alarm.rings:
        return UNWATCHED, f"is not watched: {alarm.name} rings already, for what is there now"
    return Watch((alarm.arn,), watch.minutes), ""


def alarm_of(session: Session, entry: StackEntry) -> Alarm | None:
    """The alarm that the entry names; None where the stack has none, or it was deleted."""
    if entry.watch is None:
        return None
    try:
        with aws_faults(f"looking for {entry.watch.alarm} of {entry.name} in {entry.region}"):
            found = session.client("cloudformation", entry.region).describe_stack_resource(
                StackName=entry.name, LogicalResourceId=entry.watch.alarm
            )
    except ApiFault as fault:
        if fault.code == "ValidationError":
            return None
        raise
    name = found["StackResourceDetail"].get("PhysicalResourceId", "")
    with aws_faults(f"looking at the alarm {name} in {entry.region}"):
        alarms = session.client("cloudwatch", entry.region).describe_alarms(AlarmNames=[name])["MetricAlarms"]
    return next(map(_alarm, alarms), None)


def _alarm(data: Any) -> Alarm:
    return Alarm(data["AlarmName"], data["AlarmArn"], data["StateValue"], data.get("StateReason", ""))


class Watching:
    """Follows the events of one watched change: when the watching begins, and which alarm ended it."""

    def __init__(self, session: Session, entry: StackEntry, proposal: Proposal) -> None:
        self._session = session
        self._entry = entry
        self._minutes = proposal.desired.watch.minutes
        self._watched = bool(proposal.desired.watch.alarms) and entry.watch is not None
        changed = {change.logical_id for change in proposal.changes}
        self._left = changed & set(entry.watch.resources) if entry.watch is not None else set()
        self._busy: set[str] = set()
        self._told = False
        self.rang: Alarm | None = None
        """The alarm for which CloudFormation took the change back."""

    def look(self, event: Event) -> Sequence[Moment]:
        """What there is to tell after this event, the next one of the stack."""
        if not self._watched:
            return ()
        if event.goes_back:
            return self._ask()
        if event.of_stack:
            return ()
        if event.status.endswith("_IN_PROGRESS"):
            self._busy.add(event.logical_id)
        elif event.status.endswith("_COMPLETE"):
            self._busy.discard(event.logical_id)
            self._left.discard(event.logical_id)
        if self._left or self._busy or self._told:
            return ()
        self._told = True
        until = (datetime.now(UTC) + timedelta(minutes=self._minutes)).astimezone()
        text = f"changed, and watched for {self._minutes} min: until {until:%H:%M}"
        return (Watched(self._entry.id, text, self._minutes),)

    def _ask(self) -> Sequence[Moment]:
        """Once, at the moment when the change goes back: the alarm may fall silent with the version that rang it."""
        alarm = alarm_of(self._session, self._entry)
        if alarm is None or not alarm.rings:
            return ()
        self.rang = alarm
        return (Noted(self._entry.id, f"{alarm.name} rings: CloudFormation puts back what was there before"),)
