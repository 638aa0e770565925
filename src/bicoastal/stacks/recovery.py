"""Bringing a stack to where a change may be proposed, whatever state an earlier operation left it in.

An interrupted or failed deploy is simply started again: this is what makes that true.
"""

from __future__ import annotations

from collections.abc import Callable

from bicoastal.aws.faults import aws_faults
from bicoastal.aws.session import Session
from bicoastal.core.errors import Refused
from bicoastal.stacks.view import Condition, StackView, view
from bicoastal.stacks.watch import Event, StackFailed, last_event, nothing, operation, settle


def make_ready(
    session: Session,
    name: str,
    region: str,
    *,
    tell: Callable[[Event], None] = nothing,
    note: Callable[[str], None] = lambda _text: None,
) -> StackView | None:
    """Return the stack settled, empty, or None where there is none; wait, continue or clean up as needed.

    A creation that failed is deleted: nothing in it has served anybody. `note` is told what is done and why. Raises
    Refused where that would take a protected stack, and StackFailed where CloudFormation cannot get out by itself.
    """
    current = view(session, name, region)
    if current is not None and current.condition is Condition.BUSY:
        note(f"is {current.status} from an earlier operation: waiting for its end")
        current, _ = settle(session, name, region, tell=tell)
    if current is None or current.condition in (Condition.SETTLED, Condition.EMPTY):
        return current
    if current.condition is Condition.STUCK:
        note(f"is {current.status}: continuing the rollback")
        return _continue_rollback(session, current, tell)
    note(f"is {current.status} from an earlier operation: deleting it, to create it anew")
    remove(session, current, tell=tell)
    return None


def remove(session: Session, stack: StackView, *, tell: Callable[[Event], None] = nothing) -> None:
    """Delete a stack and see it gone. Raises Refused for a protected one, StackFailed where something holds it."""
    if stack.protected:
        raise Refused(
            f"{stack.name} in {stack.region} is {stack.status} and protected against deletion.\n"
            "    -> Look at its events, then lift the protection with "
            "`aws cloudformation update-termination-protection --no-enable-termination-protection "
            f"--stack-name {stack.name} --region {stack.region}`, and run the same command again."
        )
    before = last_event(session, stack.id, stack.region)
    with aws_faults(f"deleting the stack {stack.name} in {stack.region}"):
        session.client("cloudformation", stack.region).delete_stack(StackName=stack.id)
    left, events = settle(session, stack.id, stack.region, after=before, tell=tell)
    if left is not None:
        raise StackFailed(left, events, "Remove what holds it, then run the same command again.")


def _continue_rollback(session: Session, stack: StackView, tell: Callable[[Event], None]) -> StackView:
    before = last_event(session, stack.id, stack.region)
    with aws_faults(f"continuing the rollback of {stack.name} in {stack.region}"):
        session.client("cloudformation", stack.region).continue_update_rollback(StackName=stack.id)
    now, events = settle(session, stack.id, stack.region, after=before, tell=tell)
    if now is None or now.condition is not Condition.SETTLED:
        raise StackFailed(
            now or stack,
            events or operation(session, stack.id, stack.region),
            "Mend that resource by hand, or skip it with `aws cloudformation continue-update-rollback "
            f"--stack-name {stack.name} --region {stack.region} --resources-to-skip NAME`, then run the same "
            "command again.",
        )
    return now
