"""A region that takes over gets all users, not its own share."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.cfn.deployment import Resource
from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.rule import Hit, Rule, Seen
from bicoastal.review.verdict import number

RULE = Rule(
    "standby-cannot-carry-load",
    Severity.WARNING,
    "A region's fleet is less than half as large as the other's may become",
    "After a failover it has to carry the users of both: it is overloaded from the first minute.",
    "Give both fleets the same MaxSize.",
    ("AWS::AutoScaling::AutoScalingGroup",),
    "https://docs.aws.amazon.com/whitepapers/latest/disaster-recovery-workloads-on-aws/disaster-recovery-options-"
    "in-the-cloud.html",
)


def look(case: Case) -> Iterator[Seen]:
    """Fleets of two regions between which DNS moves users."""
    largest: dict[str, tuple[float, Resource]] = {}
    for region in case.deployment.regions:
        for fleet in case.fleets(region):
            size = number(fleet.resource.get("MaxSize"))
            if fleet.targets and size is not None:
                largest[region] = max(
                    largest.get(region, (0.0, fleet.resource)), (size, fleet.resource), key=lambda one: one[0]
                )
    if len(largest) != len(case.deployment.regions) or len(largest) < 2:
        return
    most = max(size for size, _ in largest.values())
    for region, (size, group) in largest.items():
        if size * 2 < most:
            text = f"{group.logical_id} of {region} grows to {size:.0f}, and another region's fleet to {most:.0f}."
            yield Hit(group, text, ("MaxSize",))
