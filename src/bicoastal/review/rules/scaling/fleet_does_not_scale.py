"""A range of sizes without a policy is a size."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.rule import Hit, Rule, Seen
from bicoastal.review.verdict import number

RULE = Rule(
    "fleet-does-not-scale",
    Severity.WARNING,
    "A fleet that serves users has no scaling policy",
    "It stays as small as it is when users come, and as large as somebody left it.",
    "Add a scaling policy on traffic or on what runs out first.",
    ("AWS::AutoScaling::AutoScalingGroup",),
    "https://docs.aws.amazon.com/autoscaling/ec2/userguide/scale-your-group.html",
)


def look(case: Case) -> Iterator[Seen]:
    """Fleets behind a balancer with room to grow that no policy here uses."""
    policies = case.deployment.of_type("AWS::AutoScaling::ScalingPolicy")
    unclear = any(case.deployment.resource(one.get("AutoScalingGroupName")) is None for one in policies)
    for region in case.deployment.regions:
        for fleet in case.fleets(region):
            own = [
                one for one in policies if case.deployment.resource(one.get("AutoScalingGroupName")) is fleet.resource
            ]
            low, high = number(fleet.resource.get("MinSize")), number(fleet.resource.get("MaxSize"))
            room = low is not None and high is not None and low < high
            if fleet.targets and room and not own and not unclear:
                yield Hit(fleet.resource, f"No policy scales {fleet.resource.logical_id}.")
