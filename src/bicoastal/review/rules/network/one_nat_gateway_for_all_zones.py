"""A NAT gateway stands in one zone, and everything whose way out it is falls with that zone."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.model.network import ANYWHERE
from bicoastal.review.rule import Hit, Rule, Seen

RULE = Rule(
    "one-nat-gateway-for-all-zones",
    Severity.WARNING,
    "Subnets of several zones go out through one NAT gateway",
    "When its zone fails, instances in the other zones lose their way out: no downloads, no calls, no new "
    "instance boots.",
    "Put a NAT gateway into each zone, or VPC endpoints in place of the way out.",
    ("AWS::EC2::NatGateway",),
    "https://docs.aws.amazon.com/vpc/latest/userguide/vpc-nat-gateway.html",
)


def look(case: Case) -> Iterator[Seen]:
    """Zones of the subnets whose default route is the gateway."""
    for gateway in case.deployment.of_type("AWS::EC2::NatGateway"):
        network = case.network(gateway.region)
        home = network.subnet(gateway.get("SubnetId"))
        users = [
            subnet
            for subnet in network.subnets
            if any(route.target is gateway and route.destination == ANYWHERE for route in subnet.routes)
        ]
        far = [one for one in users if home is not None and one.zone and home.zone and one.zone != home.zone]
        unclear = any("${?}" in one.zone for one in users)
        if far and not unclear and home is not None:
            names = ", ".join(one.resource.logical_id for one in far[:3])
            yield Hit(
                gateway, f"{gateway.logical_id} stands in {home.zone}, and is the way out of {names}.", ("SubnetId",)
            )
