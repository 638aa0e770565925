"""A NAT gateway works only in a subnet that is routed to an internet gateway."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.model.network import Kind
from bicoastal.review.rule import Hit, Rule, Seen

RULE = Rule(
    "nat-gateway-without-way-out",
    Severity.ERROR,
    "A NAT gateway stands in a subnet without a route to the internet",
    "Nothing behind it gets out: instances do not boot, or boot half.",
    "Put it into a public subnet.",
    ("AWS::EC2::NatGateway",),
    "https://docs.aws.amazon.com/vpc/latest/userguide/vpc-nat-gateway.html",
)


def look(case: Case) -> Iterator[Seen]:
    """Gateways whose subnet is here, with a route table that is here."""
    for gateway in case.deployment.of_type("AWS::EC2::NatGateway"):
        subnet = case.deployment.resource(gateway.get("SubnetId"))
        known = case.network(gateway.region).subnet(gateway.get("SubnetId"))
        if gateway.get("ConnectivityType") == "private" or subnet is None or known is None or known.table is None:
            continue
        unclear = any("${?}" in case.deployment.spelled(route.destination or "") for route in known.routes)
        if (
            known.kind is not Kind.PUBLIC
            and not unclear
            and not any(route.kind == "internet" for route in known.routes)
        ):
            text = (
                f"{gateway.logical_id} stands in {subnet.logical_id}, whose route table leads to no internet gateway."
            )
            yield Hit(gateway, text, ("SubnetId",))
