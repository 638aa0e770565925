"""Instances that download what they need must get out, or have endpoints."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bicoastal.cfn.deployment import Resource
from bicoastal.cfn.values import Unknown
from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.model.network import ANYWHERE
from bicoastal.review.rule import Hit, Rule, Seen

RULE = Rule(
    "instances-without-way-out",
    Severity.ERROR,
    "Instances download at boot and have no way out",
    "They hang in their user data: the fleet cannot start, and in a failover cannot grow.",
    "Route their subnets to a NAT gateway, or bring what they need into the image and use VPC endpoints.",
    ("AWS::AutoScaling::AutoScalingGroup",),
    "https://docs.aws.amazon.com/vpc/latest/userguide/vpc-nat-gateway.html",
)
_DOWNLOADS = re.compile(
    r"\b(?:yum|dnf|apt|apt-get|zypper) (?:-\S+ )*(?:install|update|upgrade)"
    r"|\bpip3? install|\bnpm (?:ci|install)|^packages:",
    re.MULTILINE,
)


def look(case: Case) -> Iterator[Seen]:
    """Fleets all of whose subnets are isolated, in a network without any endpoint."""
    for region in case.deployment.regions:
        for fleet in case.fleets(region):
            text = fleet.machine.everything if fleet.machine is not None else ""
            needed = _DOWNLOADS.search(text)
            subnets = [case.network(region).subnet(value) for value in fleet.resource.items("VPCZoneIdentifier")]
            for subnet in subnets:
                if subnet is None or subnet.table is None or needed is None or _leads_out(case, subnet.resource):
                    continue
                said = f"{fleet.resource.logical_id} stands in {subnet.resource.logical_id}, and boots with"
                yield Hit(fleet.resource, f"{said} `{needed[0].strip()}`.", ("VPCZoneIdentifier",))


def _leads_out(case: Case, subnet: Resource) -> bool:
    """A route that may lead out, or an endpoint through which what is needed may come."""
    known = case.network(subnet.region).subnet(subnet.reference)
    routes = known.routes if known is not None else ()
    away = any(route.destination == ANYWHERE or isinstance(route.destination, Unknown) for route in routes)
    vpc = case.deployment.resource(subnet.get("VpcId"))
    endpoints = case.deployment.of_type("AWS::EC2::VPCEndpoint", region=subnet.region)
    return away or any(case.deployment.resource(one.get("VpcId")) is vpc for one in endpoints)
