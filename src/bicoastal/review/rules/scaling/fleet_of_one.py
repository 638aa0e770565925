"""One instance is in one zone, however many subnets its group has."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.rule import Hit, Rule, Seen
from bicoastal.review.verdict import number

RULE = Rule(
    "fleet-of-one",
    Severity.WARNING,
    "A fleet that serves users may shrink to one instance",
    "When its zone fails, nobody is served until another one has booted, which just then may take long.",
    "Set MinSize to 2 or more.",
    ("AWS::AutoScaling::AutoScalingGroup",),
    "https://docs.aws.amazon.com/autoscaling/ec2/userguide/auto-scaling-benefits.html",
)


def look(case: Case) -> Iterator[Seen]:
    """Fleets behind a balancer."""
    for region in case.deployment.regions:
        for fleet in case.fleets(region):
            low = number(fleet.resource.get("MinSize"))
            if fleet.targets and low is not None and low < 2:
                text = f"{fleet.resource.logical_id} may have {low:.0f} instance{'' if low == 1 else 's'}."
                yield Hit(fleet.resource, text, ("MinSize",))
