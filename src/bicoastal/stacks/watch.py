"""Seeing a stack's operation through: its events as they come, its end, and the first cause when it fails."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bicoastal.aws.faults import ApiFault, aws_faults
from bicoastal.aws.session import Session
from bicoastal.aws.waiting import Waiter
from bicoastal.core.errors import SystemFault
from bicoastal.stacks.view import Condition, StackView, view

OPERATION_DEADLINE_S = 3.5 * 3600
"""RDS's handler may take three hours for a large cross-region replica; nothing else takes a tenth of it."""
STACK = "AWS::CloudFormation::Stack"
_CONSEQUENCES = ("Resource creation cancelled", "Resource update cancelled", "Resource deletion cancelled")


@dataclass(frozen=True)
class Event:
    """Something that happened to a resource of a stack, or to the stack itself."""

    id: str
    at: datetime
    stack_id: str
    logical_id: str
    type: str
    physical_id: str
    status: str
    reason: str

    @property
    def failed(self) -> bool:
        """A failure of its own, not one that another one brought about."""
        return self.status.endswith("_FAILED") and not self.reason.startswith(_CONSEQUENCES)

    @property
    def of_stack(self) -> bool:
        """The stack itself, not one of its resources."""
        return self.type == STACK and self.physical_id == self.stack_id

    @property
    def goes_back(self) -> bool:
        """A rollback begins here."""
        return self.of_stack and self.status in ("ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS")

    @property
    def begins(self) -> bool:
        """An operation begins here."""
        return self.of_stack and self.status in ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS")


def nothing(_event: Event) -> None:
    """For those who don't want to be told."""


def last_event(session: Session, stack: str, region: str) -> str:
    """Id of the newest event of a stack, so that what follows can be told from what was; empty where there is none."""
    return next((event.id for event in _newest_first(session, stack, region)), "")


def settle(
    session: Session,
    stack: str,
    region: str,
    *,
    after: str | None = None,
    tell: Callable[[Event], None] = nothing,
    deadline_s: float = OPERATION_DEADLINE_S,
) -> tuple[StackView | None, list[Event]]:
    """Wait until nothing runs on the stack; returns what it is then (None: gone) and the events since `after`.

    Given `after`, an operation was started since that event: the stack is not settled before its end has been told,
    because CloudFormation goes on describing what was for a moment. `tell` is called with each event, oldest first.
    Raises SystemFault at the deadline. Give an id to see a deletion end: a deleted stack has no name.
    """
    last = last_event(session, stack, region) if after is None else after
    events: list[Event] = []
    for _ in Waiter(deadline_s, f"waiting for the stack {stack} in {region}"):
        now = view(session, stack, region)
        if now is None:
            return None, events
        for event in reversed(_since(session, stack, region, events[-1].id if events else last)):
            events.append(event)
            tell(event)
        if now.status == "DELETE_COMPLETE":
            return None, events
        told = after is None or any(event.of_stack and event.status == now.status for event in events)
        if now.condition is not Condition.BUSY and told:
            return now, events
    raise AssertionError("a waiter ends by its deadline")


def operation(session: Session, stack: str, region: str) -> list[Event]:
    """Events of the stack's latest operation, oldest first, whoever began it."""
    found: list[Event] = []
    for event in _newest_first(session, stack, region):
        found.append(event)
        if event.begins:
            break
    return found[::-1]


def validations(session: Session, region: str, **which: str) -> list[Event]:
    """What CloudFormation's own validation objected to before it began: it names each in DescribeEvents alone.

    `which` is StackName, or ChangeSetName. Empty where there is nothing, or where the action is not known.
    """
    client = session.client("cloudformation", region)
    try:
        with aws_faults(f"reading what the validation said in {region}"):
            pages = client.get_paginator("describe_events").paginate(Filters={"FailedEvents": True}, **which)
            return [
                _event({**item, "ResourceStatus": "VALIDATION_FAILED", "ResourceStatusReason": _objection(item)})
                for page in pages
                for item in page["OperationEvents"]
                if item.get("EventType") == "VALIDATION_ERROR"
            ]
    except ApiFault:
        return []


def _objection(item: Mapping[str, Any]) -> str:
    return " ".join(str(item[key]) for key in ("ValidationStatusReason", "ValidationPath") if item.get(key))


def first_cause(events: Iterable[Event]) -> Event | None:
    """The failure that came first: what followed is CloudFormation cancelling the rest and going back.

    A resource's own failure tells more than the stack's, which only counts them.
    """
    failed = sorted((event for event in events if event.failed), key=lambda event: event.at)
    return next((event for event in failed if not event.of_stack), failed[0] if failed else None)


def undone(events: Sequence[Event]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Logical ids of what a rollback deleted, and of what it put back as it was; each once, in its order."""
    cause = first_cause(events) or next((event for event in events if event.goes_back), None)
    since = [event for event in events[events.index(cause) :] if not event.of_stack] if cause is not None else []
    deleted = dict.fromkeys(event.logical_id for event in since if event.status == "DELETE_COMPLETE")
    restored = dict.fromkeys(event.logical_id for event in since if event.status == "UPDATE_COMPLETE")
    return tuple(deleted), tuple(restored)


def _since(session: Session, stack: str, region: str, after: str) -> list[Event]:
    """Events newer than the one with the id `after`, newest first."""
    found: list[Event] = []
    for event in _newest_first(session, stack, region):
        if event.id == after:
            break
        found.append(event)
    return found


def _newest_first(session: Session, stack: str, region: str) -> Iterator[Event]:
    pages = session.client("cloudformation", region).get_paginator("describe_stack_events")
    try:
        with aws_faults(f"reading the events of {stack} in {region}"):
            for page in pages.paginate(StackName=stack):
                for item in page["StackEvents"]:
                    yield _event(item)
    except ApiFault as fault:
        if fault.code != "ValidationError":
            raise


def _event(data: Mapping[str, Any]) -> Event:
    return Event(
        id=data["EventId"],
        at=data["Timestamp"],
        stack_id=data["StackId"],
        logical_id=data.get("LogicalResourceId", ""),
        type=data.get("ResourceType", ""),
        physical_id=data.get("PhysicalResourceId", ""),
        status=data.get("ResourceStatus", ""),
        reason=data.get("ResourceStatusReason", ""),
    )


class StackFailed(SystemFault):
    """An operation on a stack failed; `events` are those of the operation, `cause` the first failure that was told."""

    def __init__(self, stack: StackView, events: Sequence[Event], remedy: str) -> None:
        self.stack = stack
        self.events = tuple(events)
        self.cause = cause = first_cause(events)
        self.remedy = remedy
        what = f"{cause.logical_id} ({cause.type}): {cause.reason}" if cause else stack.reason or "no reason was given"
        super().__init__(f"{stack.name} in {stack.region} is {stack.status}. First cause: {what}\n    -> {remedy}")
