"""A fleet that stands in one Availability Zone is gone with it."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.cfn.values import Unknown
from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.model.zones import zones
from bicoastal.review.rule import CannotTell, Hit, Rule, Seen

RULE = Rule(
    "fleet-in-one-zone",
    Severity.ERROR,
    "An Auto Scaling group stands in one Availability Zone",
    "When that zone fails, every instance is lost, and none can be started elsewhere.",
    "Give it subnets in two Availability Zones or more.",
    ("AWS::AutoScaling::AutoScalingGroup",),
    "https://docs.aws.amazon.com/autoscaling/ec2/userguide/auto-scaling-benefits.html",
)


def look(case: Case) -> Iterator[Seen]:
    """Zones by the subnets, or as they are listed."""
    for item in case.deployment.of_type(*RULE.types):
        name = "VPCZoneIdentifier" if item.get("VPCZoneIdentifier") is not None else "AvailabilityZones"
        value = item.get(name)
        if isinstance(value, Unknown):
            yield CannotTell(item, f"Where {item.logical_id} stands is not known: {value.reason}.", (name,))
            continue
        found, unclear = zones(case.deployment, item.items(name))
        if unclear and len(found) < 2:
            yield CannotTell(item, f"Where {item.logical_id} stands is not known: {unclear}.", (name,))
        elif len(found) == 1:
            yield Hit(item, f"{item.logical_id} stands in {next(iter(found))} alone.", (name,))
