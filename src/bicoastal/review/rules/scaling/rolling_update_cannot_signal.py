"""A stack that waits for signals that nobody sends waits until it fails."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.rule import CannotTell, Hit, Rule, Seen
from bicoastal.review.verdict import yes

RULE = Rule(
    "rolling-update-cannot-signal",
    Severity.ERROR,
    "CloudFormation waits for signals that instances do not send",
    "The stack, or each update of it, waits for its timeout and rolls back: nothing can be deployed.",
    "Call cfn-signal at the end of the user data, or remove the wait.",
    ("AWS::AutoScaling::AutoScalingGroup",),
    "https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-creationpolicy.html",
)


def look(case: Case) -> Iterator[Seen]:
    """Groups that wait, by what their user data says."""
    for region in case.deployment.regions:
        for fleet in case.fleets(region):
            created = fleet.resource.attribute("CreationPolicy")
            updated = fleet.resource.attribute("UpdatePolicy")
            waits = isinstance(created, dict) and "ResourceSignal" in created
            rolling = updated.get("AutoScalingRollingUpdate") if isinstance(updated, dict) else None
            waits = waits or (isinstance(rolling, dict) and yes(rolling.get("WaitOnResourceSignals")))
            if not waits or fleet.template is None:
                continue
            if fleet.machine is None or fleet.machine.unreadable or "${?}" in fleet.machine.text:
                yield CannotTell(fleet.resource, f"Whether {fleet.template.logical_id} signals is not known.")
            elif "signal" not in fleet.machine.everything.lower():
                text = f"{fleet.resource.logical_id} waits for signals, and {fleet.template.logical_id} sends none."
                yield Hit(fleet.resource, text)
