"""Why a stack failed, for its reader: the first cause, the line of the template, what was undone, the next move."""

from __future__ import annotations

from collections.abc import Sequence

from bicoastal.cfn.manifest import StackEntry
from bicoastal.cfn.reader import parse_template
from bicoastal.core.errors import SystemFault
from bicoastal.deploy.package import Package
from bicoastal.deploy.watching import Alarm
from bicoastal.stacks.view import Condition, StackView
from bicoastal.stacks.watch import Event, StackFailed, first_cause, undone

_NAMED = 6


class DeployFailed(SystemFault):
    """A stack did not become what it should be."""

    def __init__(
        self,
        entry: StackEntry,
        fault: StackFailed,
        package: Package,
        *,
        rang: Alarm | None = None,
        done: Sequence[str] = (),
    ) -> None:
        """`rang` is the alarm that took it back; `done` are the ids of what is changed in other regions already."""
        self.entry = entry
        self.cause = fault.cause
        lines = [f"{entry.id}: {fault.stack.name} is {fault.stack.status}."]
        said = _alarm(entry, rang, package) if rang is not None and fault.cause is None else None
        lines += [f"    {text}" for text in said or _cause(entry, fault.stack, fault.cause, package)]
        lines += [f"    {text}" for text in _undone(fault)]
        if done and fault.stack.condition is Condition.SETTLED:
            lines.append(f"    {', '.join(done)} has been changed already: the regions differ.")
        lines.append(f"    -> {fault.remedy}")
        super().__init__("\n".join(lines))


def failed(
    entry: StackEntry,
    now: StackView,
    events: list[Event],
    package: Package,
    *,
    rang: Alarm | None = None,
    done: Sequence[str] = (),
) -> DeployFailed:
    """For a stack whose creation or update failed."""
    if now.condition is Condition.STUCK:
        remedy = "The rollback itself failed: mend what it names; `bicoastal deploy` then continues the rollback."
    elif now.condition is Condition.UNBORN:
        remedy = "Mend that, then run `bicoastal deploy` again: it deletes what is left of the stack and creates it."
    else:
        remedy = "Mend that, then run `bicoastal deploy` again: the stack is as it was before."
        if done:
            remedy += " Or deploy what was there before; `bicoastal plan` says where that would change anything."
    return DeployFailed(entry, StackFailed(now, events, remedy), package, rang=rang, done=done)


def _alarm(entry: StackEntry, rang: Alarm, package: Package) -> list[str]:
    """CloudFormation names no resource that failed: the alarm is the cause."""
    lines = [f"First cause: the alarm {rang.name} rang while the change was watched: {rang.reason}"]
    if entry.watch is not None:
        where = parse_template(package.template(entry), entry.template).location(("Resources", entry.watch.alarm))
        lines.append(f"It is at {where}")
    return lines


def _cause(entry: StackEntry, now: StackView, cause: Event | None, package: Package) -> list[str]:
    if cause is None:
        return [f"CloudFormation gave no first cause. {now.reason}".rstrip()]
    path = ("Resources", cause.logical_id)
    where = parse_template(package.template(entry), entry.template).location(path)
    return [f"First cause: {cause.logical_id} ({cause.type}): {cause.reason or cause.status}", f"It is at {where}"]


def _undone(fault: StackFailed) -> list[str]:
    cause = first_cause(fault.events)
    if fault.stack.condition is Condition.STUCK:
        left = [event.logical_id for event in fault.events if event.failed and not event.of_stack and event != cause]
        return [f"The rollback failed at {', '.join(dict.fromkeys(left))}."] if left else []
    deleted, restored = undone(fault.events)
    said = [f"{_few(names)} {what}" for names, what in ((deleted, "deleted again"), (restored, "put back")) if names]
    return [f"Rolled back: {'; '.join(said)}."] if said else ["Nothing had to be rolled back."]


def _few(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
