"""A load balancer in one Availability Zone is gone with it."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.model.zones import zones
from bicoastal.review.rule import Hit, Rule, Seen

RULE = Rule(
    "balancer-in-one-zone",
    Severity.ERROR,
    "A load balancer stands in one Availability Zone",
    "When that zone fails, nothing answers, though instances elsewhere are well.",
    "Give it subnets in two Availability Zones or more.",
    ("AWS::ElasticLoadBalancingV2::LoadBalancer",),
    "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/application-load-balancers.html",
)


def look(case: Case) -> Iterator[Seen]:
    """Zones by its subnets."""
    for item in case.deployment.of_type("AWS::ElasticLoadBalancingV2::LoadBalancer"):
        values = item.items("Subnets")
        values += [entry.get("SubnetId") for entry in item.items("SubnetMappings") if isinstance(entry, dict)]
        found, unclear = zones(case.deployment, values)
        if len(found) == 1 and not unclear:
            yield Hit(item, f"{item.logical_id} stands in {next(iter(found))} alone.", ("Subnets",))
