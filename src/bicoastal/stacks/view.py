"""A stack as CloudFormation describes it at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from bicoastal.aws.faults import ApiFault, aws_faults
from bicoastal.aws.session import Session

ALARM = "AWS::CloudWatch::Alarm"
COMPOSITE = "AWS::CloudWatch::CompositeAlarm"


class Condition(Enum):
    """What may be done with a stack next."""

    SETTLED = "settled"
    """The last operation succeeded, or was rolled back to what was there before: a change may be proposed."""
    BUSY = "busy"
    """An operation runs: wait."""
    EMPTY = "empty"
    """Only proposed, never created: a creation may be proposed, and a removal leaves nothing behind."""
    UNBORN = "unborn"
    """Its creation failed. CloudFormation changes such a stack no more: it is deleted and created anew."""
    STUCK = "stuck"
    """A rollback failed: it is continued before anything else."""
    UNDELETED = "undeleted"
    """Its deletion failed: it is deleted again."""


_CONDITIONS = {
    "REVIEW_IN_PROGRESS": Condition.EMPTY,
    "CREATE_FAILED": Condition.UNBORN,
    "ROLLBACK_COMPLETE": Condition.UNBORN,
    "ROLLBACK_FAILED": Condition.UNBORN,
    "UPDATE_ROLLBACK_FAILED": Condition.STUCK,
    "DELETE_FAILED": Condition.UNDELETED,
    "CREATE_COMPLETE": Condition.SETTLED,
    "UPDATE_COMPLETE": Condition.SETTLED,
    "UPDATE_FAILED": Condition.SETTLED,
    "UPDATE_ROLLBACK_COMPLETE": Condition.SETTLED,
    "IMPORT_COMPLETE": Condition.SETTLED,
    "IMPORT_ROLLBACK_COMPLETE": Condition.SETTLED,
    "IMPORT_ROLLBACK_FAILED": Condition.STUCK,
}
"""From the CloudFormation User Guide, "Stack status codes". UPDATE_FAILED is left where rollback was disabled: the next
update carries on from it."""


@dataclass(frozen=True)
class Watch:
    """RollbackConfiguration: alarms that CloudFormation watches while it changes a stack, and so many minutes after.

    One that rings, or is not there, takes the whole change back. CloudFormation keeps it for every later update that
    says nothing of it.
    """

    alarms: tuple[str, ...] = ()
    """ARNs; at most five."""
    minutes: int = 0
    composite: tuple[str, ...] = ()
    """ARNs of composite alarms, of somebody else's making."""


UNWATCHED = Watch()


@dataclass(frozen=True)
class StackView:
    """One stack at one moment."""

    id: str
    name: str
    region: str
    status: str
    reason: str
    parameters: Mapping[str, str]
    outputs: Mapping[str, str]
    tags: Mapping[str, str]
    protected: bool
    """Termination protection is on."""
    changed_at: datetime | None = None
    """When its last operation began; None while nothing has been created."""
    watch: Watch = UNWATCHED
    """What CloudFormation watches at its next update, if that says nothing of it."""

    @property
    def condition(self) -> Condition:
        """What may be done next. A status that is not known yet is taken for busy: waiting for it does no harm."""
        return _CONDITIONS.get(self.status, Condition.BUSY)

    @property
    def exists(self) -> bool:
        """It was created, so that its parameters say what operations left there."""
        return self.condition not in (Condition.EMPTY, Condition.UNBORN)

    @property
    def good(self) -> bool:
        """The last operation did what it was asked."""
        return self.status in ("CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE")


def view(session: Session, name: str, region: str) -> StackView | None:
    """The stack of this name, or None where there is none. `name` may be an id, which finds a deleted stack too."""
    try:
        with aws_faults(f"describing the stack {name} in {region}"):
            answer = session.client("cloudformation", region).describe_stacks(StackName=name)
    except ApiFault as fault:
        if fault.code == "ValidationError" and "does not exist" in str(fault):
            return None
        raise
    return from_api(answer["Stacks"][0], region)


def from_api(data: Mapping[str, Any], region: str) -> StackView:
    """What DescribeStacks says of one stack."""
    return StackView(
        id=data["StackId"],
        name=data["StackName"],
        region=region,
        status=data["StackStatus"],
        reason=data.get("StackStatusReason", ""),
        parameters={item["ParameterKey"]: item.get("ParameterValue", "") for item in data.get("Parameters", ())},
        outputs={item["OutputKey"]: item["OutputValue"] for item in data.get("Outputs", ())},
        tags={item["Key"]: item["Value"] for item in data.get("Tags", ())},
        protected=bool(data.get("EnableTerminationProtection", False)),
        changed_at=data.get("LastUpdatedTime") or data.get("CreationTime"),
        watch=_watch(data.get("RollbackConfiguration") or {}),
    )


def _watch(data: Mapping[str, Any]) -> Watch:
    by_type: dict[str, list[str]] = {}
    for trigger in data.get("RollbackTriggers", ()):
        by_type.setdefault(trigger["Type"], []).append(trigger["Arn"])
    return Watch(
        tuple(by_type.get(ALARM, ())), data.get("MonitoringTimeInMinutes", 0), tuple(by_type.get(COMPOSITE, ()))
    )
