"""A fleet whose largest size is its smallest does not scale, whatever its policies say."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.rule import Hit, Rule, Seen
from bicoastal.review.verdict import number

RULE = Rule(
    "fleet-cannot-grow",
    Severity.WARNING,
    "A fleet that serves users cannot grow",
    "When the other region's users arrive, or one instance fails, the rest have to carry everything.",
    "Set MaxSize above MinSize, and a policy that uses the room.",
    ("AWS::AutoScaling::AutoScalingGroup",),
    "https://docs.aws.amazon.com/autoscaling/ec2/userguide/asg-capacity-limits.html",
)


def look(case: Case) -> Iterator[Seen]:
    """Fleets behind a balancer; of one instance alone `fleet-of-one` speaks."""
    for region in case.deployment.regions:
        for fleet in case.fleets(region):
            low, high = number(fleet.resource.get("MinSize")), number(fleet.resource.get("MaxSize"))
            if fleet.targets and low is not None and high is not None and 2 <= high <= low:
                text = f"{fleet.resource.logical_id} has between {low:.0f} and {high:.0f} instances."
                yield Hit(fleet.resource, text, ("MaxSize",))
