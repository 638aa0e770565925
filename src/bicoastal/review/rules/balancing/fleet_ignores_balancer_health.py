"""An instance that runs and does not serve is replaced only if somebody asks the balancer."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.rule import Hit, Rule, Seen

RULE = Rule(
    "fleet-ignores-balancer-health",
    Severity.ERROR,
    "A fleet keeps instances that its load balancer finds unhealthy",
    "A hung application stays in the fleet for ever; capacity melts away and nothing replaces it.",
    "Set HealthCheckType to ELB, with a grace period as long as a boot.",
    ("AWS::AutoScaling::AutoScalingGroup",),
    "https://docs.aws.amazon.com/autoscaling/ec2/userguide/as-add-elb-healthcheck.html",
)


def look(case: Case) -> Iterator[Seen]:
    """Groups behind a balancer with EC2's own check alone."""
    for region in case.deployment.regions:
        for fleet in case.fleets(region):
            kind = fleet.resource.get("HealthCheckType", default="EC2")
            if fleet.targets and isinstance(kind, str) and "ELB" not in kind:
                text = f"{fleet.resource.logical_id} serves {fleet.targets[0].logical_id} and asks EC2 alone."
                yield Hit(fleet.resource, text, ("HealthCheckType",))
