"""Instances in a zone that their balancer does not stand in get no requests."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.model.zones import zones
from bicoastal.review.rule import Hit, Rule, Seen

RULE = Rule(
    "fleet-outside-balancers-zones",
    Severity.ERROR,
    "Instances stand in zones that their load balancer does not",
    "They cost money, count as capacity, and never serve anybody.",
    "Give the load balancer a subnet in each zone of the fleet.",
    ("AWS::AutoScaling::AutoScalingGroup",),
    "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-register-targets.html",
)


def look(case: Case) -> Iterator[Seen]:
    """Zones of fleets against those of the balancers whose targets they are."""
    for region in case.deployment.regions:
        for balancer in case.balancers(region):
            values = balancer.resource.items("Subnets")
            values += [
                one.get("SubnetId") for one in balancer.resource.items("SubnetMappings") if isinstance(one, dict)
            ]
            here, vague = zones(case.deployment, values)
            for fleet in case.fleets(region):
                if vague or not here or not any(one is two for one in fleet.targets for two in balancer.targets):
                    continue
                there, unclear = zones(case.deployment, fleet.resource.items("VPCZoneIdentifier"))
                outside = {zone for zone in there - here if not zone.startswith("subnet-")}
                if outside and not unclear and not any(zone.startswith("subnet-") for zone in here):
                    text = f"{fleet.resource.logical_id} stands in {', '.join(sorted(outside))}"
                    text += f", and {balancer.resource.logical_id} does not."
                    yield Hit(fleet.resource, text, ("VPCZoneIdentifier",))
