"""In which Availability Zones things stand, as far as the templates tell."""

from __future__ import annotations

from collections.abc import Iterable

from bicoastal.cfn.deployment import Deployment
from bicoastal.cfn.values import Unknown, Value

SUBNET = "AWS::EC2::Subnet"


def zones(deployment: Deployment, values: Iterable[Value]) -> tuple[set[str], str]:
    """The zones of subnets (or zones themselves), told apart by text, and why not all are known, or empty.

    A subnet of somebody else's counts by its id: two of them may share a zone, one of them is never two.
    """
    found: set[str] = set()
    unclear = ""
    for value in values:
        subnet = deployment.resource(value)
        zone = value
        if subnet is not None and subnet.type == SUBNET:
            zone = subnet.get("AvailabilityZone", default=subnet.get("AvailabilityZoneId"))
            if zone is None:
                unclear = f"{subnet.logical_id} names no Availability Zone"
                continue
        spelled = deployment.spelled(zone)
        if isinstance(zone, Unknown) or "${?}" in spelled:
            unclear = zone.reason if isinstance(zone, Unknown) else f"a part of {spelled} is not known"
            continue
        found.update(part.strip() for part in spelled.split(","))
    return found, unclear
