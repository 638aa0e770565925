"""What a template says of the desired size is set again whenever the group is updated."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.cfn.deployment import Resource
from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.rule import Hit, Rule, Seen
from bicoastal.review.verdict import number

RULE = Rule(
    "desired-capacity-undoes-scaling",
    Severity.WARNING,
    "A template sets the size of a fleet that scales by itself",
    "An update under load, or during a failover, throws the fleet back to its size in the template.",
    "Remove DesiredCapacity: the group keeps the size that its policies chose.",
    ("AWS::AutoScaling::ScalingPolicy",),
    "https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-autoscaling-"
    "autoscalinggroup.html",
)


def look(case: Case) -> Iterator[Seen]:
    """Groups with policies and a size."""
    for policy in case.deployment.of_type("AWS::AutoScaling::ScalingPolicy"):
        group = case.deployment.resource(policy.get("AutoScalingGroupName"))
        if group is not None and group.get("DesiredCapacity") is not None and not _at_most(group):
            text = f"{group.logical_id} is set to {group.get('DesiredCapacity')} and scaled by {policy.logical_id}."
            yield Hit(group, text, ("DesiredCapacity",))


def _at_most(group: Resource) -> bool:
    """Whether the size is the largest one: an update under load takes nothing away."""
    size, most = number(group.get("DesiredCapacity")), number(group.get("MaxSize"))
    return size is not None and most is not None and size >= most
