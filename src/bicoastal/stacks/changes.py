"""What would change, as CloudFormation itself says it, and doing exactly that.

A change set is proposed, read, then executed or discarded. The proposal is frozen data: what is printed, what is judged
and what is executed are the same object.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from bicoastal.aws.faults import aws_faults
from bicoastal.aws.session import Session
from bicoastal.aws.waiting import Waiter
from bicoastal.core.errors import SystemFault
from bicoastal.stacks.view import ALARM, COMPOSITE, UNWATCHED, Condition, StackView, Watch
from bicoastal.stacks.watch import validations

PROPOSAL_DEADLINE_S = 300.0
INLINE_BYTES = 51_200
"""CloudFormation takes a longer template from S3 only."""
PREFIX = "bicoastal-"
"""Begins the name of every change set of ours."""
_NOTHING = ("didn't contain changes", "no updates are to be performed", "did not contain changes")
"""How CloudFormation says, as a failure, that there is nothing to do."""


@dataclass(frozen=True)
class Desired:
    """What a stack should be."""

    name: str
    region: str
    template_body: str
    """Empty, with no URL either: the template that the stack has."""
    parameters: Mapping[str, str | None]
    """None: the value that the stack has."""
    tags: Mapping[str, str]
    capabilities: tuple[str, ...] = ()
    template_url: str = ""
    """Where the same text was uploaded: needed for more than `INLINE_BYTES`."""
    watch: Watch = UNWATCHED
    """What CloudFormation watches while it makes this change, and for a while afterwards."""

    @classmethod
    def moved(cls, current: StackView, **parameters: str) -> Desired:
        """The stack as it is, but for these parameters: how an operation moves live state (D1)."""
        kept: dict[str, str | None] = dict.fromkeys(current.parameters)
        return cls(
            name=current.name,
            region=current.region,
            template_body="",
            parameters={**kept, **parameters},
            tags=current.tags,
            capabilities=("CAPABILITY_NAMED_IAM",),
        )


@dataclass(frozen=True)
class PropertyChange:
    """A property that would change, and whether that makes the resource anew."""

    name: str
    recreation: str
    """`Never`, `Conditionally` or `Always`."""
    cause: str = ""
    """The parameter, or the resource's attribute, that changes it; empty for an edited template."""


@dataclass(frozen=True)
class ResourceChange:
    """What would happen to one resource."""

    action: str
    """`Add`, `Modify`, `Remove`, `Import`, `SyncWithActual` (is so already) or `Dynamic` (known only when it runs)."""
    logical_id: str
    type: str
    physical_id: str = ""
    replacement: str = ""
    """`True`, `False` or `Conditional`; empty where nothing is there yet."""
    properties: tuple[PropertyChange, ...] = ()


@dataclass(frozen=True)
class Proposal:
    """A change set that was read."""

    stack: str
    region: str
    id: str
    creates: bool
    changes: tuple[ResourceChange, ...]
    """None of them, where only outputs, tags of the stack or policies would change."""
    desired: Desired
    empty: bool = False
    """CloudFormation says that nothing would change."""


def replaced(changes: Collection[ResourceChange]) -> dict[str, bool]:
    """Logical ids of what is made anew: True for certain, False for what AWS knows only when it runs.

    AWS says `Conditional` of whatever takes an attribute of a resource that changes, though the ARN or id of one that
    stays does not: a new tag on a key would put everything under that key in doubt. Such a doubt is followed to its
    cause; all others stand.
    """
    certain = {change.logical_id for change in changes if change.replacement == "True" and change.action == "Modify"}
    doubtful = {change.logical_id: change for change in changes if change.replacement == "Conditional"}
    known = {change.logical_id for change in changes}
    found = set(certain)
    grown = True
    while grown:
        more = {name for name, change in doubtful.items() if name not in found and _doubt_stands(change, known, found)}
        found |= more
        grown = bool(more)
    return {name: name in certain for name in sorted(found)}


def _doubt_stands(change: ResourceChange, known: Collection[str], anew: Collection[str]) -> bool:
    reasons = [item for item in change.properties if item.recreation != "Never"]
    return not reasons or any(_moves(item.cause, known, anew) for item in reasons)


def _moves(cause: str, known: Collection[str], anew: Collection[str]) -> bool:
    """Whether a property's cause gives it another value: an edit, a parameter, an attribute other than ARN and id."""
    resource, _, attribute = cause.partition(".")
    if resource not in known or (attribute and not attribute.endswith(("Arn", "Id"))):
        return True
    return resource in anew


def propose(session: Session, desired: Desired, current: StackView | None, *, drift_aware: bool = False) -> Proposal:
    """Ask CloudFormation what would change. Raises SystemFault when it can't say.

    `drift_aware` compares with what is there and not with what was deployed last: what is as it should be is only noted
    (`SyncWithActual`), and no handler is asked for what was done already.

    An empty proposal has been discarded already. `current` must be settled, empty or None (`recovery` sees to that).
    A creation takes in what an earlier stack of this name left behind under a name of its own (retained buckets).
    """
    creates = current is None or current.condition is Condition.EMPTY
    client = session.client("cloudformation", desired.region)
    doing = f"proposing changes to {desired.name} in {desired.region}"
    with aws_faults(doing):
        made = client.create_change_set(
            StackName=desired.name,
            ChangeSetName=f"{PREFIX}{uuid.uuid4().hex}",
            ChangeSetType="CREATE" if creates else "UPDATE",
            Parameters=[_parameter(key, value) for key, value in desired.parameters.items()],
            Tags=[{"Key": key, "Value": value} for key, value in desired.tags.items()],
            Capabilities=list(desired.capabilities),
            ImportExistingResources=creates,
            **_watching(desired.watch, UNWATCHED if current is None else current.watch),
            **_template(desired),
            **({"DeploymentMode": "REVERT_DRIFT"} if drift_aware else {}),
        )
        answer = _read(client, made, doing)
        if answer["Status"] == "FAILED":
            reason = answer.get("StatusReason", "no reason given")
            said = validations(session, desired.region, ChangeSetName=made["Id"])
            _drop(client, made["Id"], made["StackId"], with_stack=creates)
            if any(words in reason.lower() for words in _NOTHING):
                return Proposal(
                    desired.name, desired.region, made["Id"], creates=False, changes=(), desired=desired, empty=True
                )
            details = "".join(f"\n    {event.logical_id} ({event.type}): {event.reason}" for event in said)
            raise SystemFault(f"{doing}: {reason}{details}")
        changes = [_change(item["ResourceChange"]) for item in _all_changes(client, made, answer)]
    return Proposal(desired.name, desired.region, made["Id"], creates, tuple(changes), desired)


def _template(desired: Desired) -> dict[str, Any]:
    if desired.template_url:
        return {"TemplateURL": desired.template_url}
    return {"TemplateBody": desired.template_body} if desired.template_body else {"UsePreviousTemplate": True}


def _watching(wanted: Watch, kept: Watch) -> dict[str, Any]:
    """Said only where it differs: a stack keeps what an earlier update was given, until it is told of nothing."""
    if wanted == kept:
        return {}
    triggers = [(arn, ALARM) for arn in wanted.alarms] + [(arn, COMPOSITE) for arn in wanted.composite]
    return {
        "RollbackConfiguration": {
            "RollbackTriggers": [{"Arn": arn, "Type": kind} for arn, kind in triggers],
            "MonitoringTimeInMinutes": wanted.minutes,
        }
    }


def _parameter(key: str, value: str | None) -> dict[str, Any]:
    if value is None:
        return {"ParameterKey": key, "UsePreviousValue": True}
    return {"ParameterKey": key, "ParameterValue": value}


def _read(client: Any, made: Mapping[str, str], doing: str) -> Mapping[str, Any]:
    for _ in Waiter(PROPOSAL_DEADLINE_S, doing):
        answer: Mapping[str, Any] = client.describe_change_set(ChangeSetName=made["Id"], StackName=made["StackId"])
        if answer["Status"] not in ("CREATE_PENDING", "CREATE_IN_PROGRESS"):
            return answer
    raise AssertionError("a waiter ends by its deadline")


def execute(session: Session, proposal: Proposal, *, disable_rollback: bool = False) -> None:
    """Start what was proposed; `watch.settle` sees it end.

    `disable_rollback` leaves a failed update where it stopped: after a promotion, nothing may go back (D2).
    """
    with aws_faults(f"changing {proposal.stack} in {proposal.region}"):
        session.client("cloudformation", proposal.region).execute_change_set(
            ChangeSetName=proposal.id, StackName=proposal.stack, DisableRollback=disable_rollback
        )


def protect(session: Session, name: str, region: str, *, on: bool) -> None:
    """Set or lift termination protection."""
    with aws_faults(f"{'setting' if on else 'lifting'} the termination protection of {name} in {region}"):
        session.client("cloudformation", region).update_termination_protection(
            StackName=name, EnableTerminationProtection=on
        )


def discard(session: Session, proposal: Proposal) -> None:
    """Forget a proposal; a stack that only it had made goes with it."""
    with aws_faults(f"discarding the proposed changes to {proposal.stack} in {proposal.region}"):
        client = session.client("cloudformation", proposal.region)
        _drop(client, proposal.id, proposal.stack, with_stack=proposal.creates)


def _drop(client: Any, change_set: str, stack: str, *, with_stack: bool) -> None:
    client.delete_change_set(ChangeSetName=change_set, StackName=stack)
    if with_stack:
        client.delete_stack(StackName=stack)


def _all_changes(client: Any, made: Mapping[str, str], answer: Mapping[str, Any]) -> list[Any]:
    found = list(answer.get("Changes", ()))
    while token := answer.get("NextToken"):
        answer = client.describe_change_set(ChangeSetName=made["Id"], StackName=made["StackId"], NextToken=token)
        found += answer.get("Changes", ())
    return found


def _change(data: Mapping[str, Any]) -> ResourceChange:
    properties = {
        PropertyChange(target["Name"], target.get("RequiresRecreation", "Never"), detail.get("CausingEntity", ""))
        for detail in data.get("Details", ())
        if (target := detail.get("Target", {})).get("Attribute") == "Properties" and target.get("Name")
    }
    return ResourceChange(
        action=data["Action"],
        logical_id=data["LogicalResourceId"],
        type=data["ResourceType"],
        physical_id=data.get("PhysicalResourceId", ""),
        replacement=data.get("Replacement", ""),
        properties=tuple(sorted(properties, key=lambda item: (item.name, item.recreation, item.cause))),
    )
