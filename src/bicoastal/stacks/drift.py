"""What of a stack is no longer as its template says: asked of CloudFormation, which looks at every resource itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bicoastal.aws.faults import aws_faults
from bicoastal.aws.session import Session
from bicoastal.aws.waiting import Waiter
from bicoastal.stacks.view import StackView

DEADLINE_S = 600.0
_LOOKING = "DETECTION_IN_PROGRESS"


@dataclass(frozen=True)
class Difference:
    """A property that was changed past CloudFormation."""

    path: str
    expected: str
    actual: str


@dataclass(frozen=True)
class Drifted:
    """A resource that differs."""

    logical_id: str
    type: str
    status: str
    """MODIFIED or DELETED."""
    differences: tuple[Difference, ...]

    def __str__(self) -> str:
        said = "; ".join(f"{item.path} is {item.actual}, not {item.expected}" for item in self.differences)
        return f"{self.logical_id} ({self.type}) {self.status}" + (f": {said}" if said else "")


@dataclass(frozen=True)
class Drift:
    """What a detection found."""

    resources: tuple[Drifted, ...]
    unknown: str = ""
    """Why not everything could be looked at, or empty."""


def detect(session: Session, stack: StackView, deadline_s: float = DEADLINE_S) -> Drift:
    """Start a detection, follow it and read what it found. Raises SystemFault when it is not done in time.

    Some resource types cannot be looked at by CloudFormation; it counts them as in sync.
    """
    client = session.client("cloudformation", stack.region)
    with aws_faults(f"looking for drift of {stack.name} in {stack.region}"):
        detection = client.detect_stack_drift(StackName=stack.id)["StackDriftDetectionId"]
        for _ in Waiter(deadline_s, f"waiting for the drift of {stack.name} in {stack.region}"):
            answer = client.describe_stack_drift_detection_status(StackDriftDetectionId=detection)
            if answer["DetectionStatus"] != _LOOKING:
                break
        failed = answer["DetectionStatus"] == "DETECTION_FAILED"
        return Drift(_drifted(client, stack), str(answer.get("DetectionStatusReason", "")) if failed else "")


def _drifted(client: Any, stack: StackView) -> tuple[Drifted, ...]:
    found: list[Drifted] = []
    token: dict[str, str] = {}
    while True:
        answer = client.describe_stack_resource_drifts(
            StackName=stack.id, StackResourceDriftStatusFilters=["MODIFIED", "DELETED"], **token
        )
        found += [_read(item) for item in answer["StackResourceDrifts"]]
        if not answer.get("NextToken"):
            return tuple(found)
        token = {"NextToken": answer["NextToken"]}


def _read(item: dict[str, Any]) -> Drifted:
    return Drifted(
        item["LogicalResourceId"],
        item["ResourceType"],
        item["StackResourceDriftStatus"],
        tuple(
            Difference(entry["PropertyPath"], str(entry.get("ExpectedValue")), str(entry.get("ActualValue")))
            for entry in item.get("PropertyDifferences", ())
        ),
    )
