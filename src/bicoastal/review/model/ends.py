"""The ends of connections that matter: a balancer, a fleet, a database, each in every subnet that it stands in."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from bicoastal.cfn.deployment import Deployment, Resource
from bicoastal.cfn.values import Unknown, Value
from bicoastal.review.model.service import Balancer, Fleet

if TYPE_CHECKING:
    from bicoastal.reach.model import Interface
    from bicoastal.review.model.reachable import Reachable

Ends: TypeAlias = "tuple[list[Interface], str]"
"""The ends that are known, and why not all are, or empty."""
_PORTS = {"postgres": 5432, "mysql": 3306, "mariadb": 3306, "oracle": 1521, "sqlserver": 1433, "aurora": 3306}


def listed(resource: Resource, *path: str | int) -> tuple[list[Value], str]:
    """The list at a path, and why it is not known, or empty."""
    value = resource.get(*path)
    return resource.items(*path), value.reason if isinstance(value, Unknown) else ""


def balancer_ends(reachable: Reachable, balancer: Balancer) -> Ends:
    """Of a load balancer."""
    item = balancer.resource
    subnets, unclear = listed(item, "Subnets")
    mapped = [entry.get("SubnetId") for entry in item.items("SubnetMappings") if isinstance(entry, dict)]
    groups, vague = listed(item, "SecurityGroups")
    public = item.get("Scheme", default="internet-facing") == "internet-facing"
    found, unknown = reachable.interfaces(item, [*subnets, *mapped], groups, public=public)
    return found, unclear or vague or unknown


def fleet_ends(reachable: Reachable, fleet: Fleet) -> Ends:
    """Of an Auto Scaling group's instances."""
    if fleet.template is None:
        return [], f"the launch template of {fleet.resource.logical_id} is not among these templates"
    subnets, unclear = listed(fleet.resource, "VPCZoneIdentifier")
    groups, vague = listed(fleet.template, "LaunchTemplateData", "SecurityGroupIds")
    public = False
    for index, _ in enumerate(fleet.template.items("LaunchTemplateData", "NetworkInterfaces")):
        path = ("LaunchTemplateData", "NetworkInterfaces", index)
        groups = groups + fleet.template.items(*path, "Groups")
        public = public or fleet.template.get(*path, "AssociatePublicIpAddress") in (True, "true")
    found, unknown = reachable.interfaces(fleet.resource, subnets, groups, public=public)
    return found, unclear or vague or unknown


def database_ends(deployment: Deployment, reachable: Reachable, item: Resource) -> Ends:
    """Of a database instance."""
    group = deployment.resource(item.get("DBSubnetGroupName"))
    if group is None:
        return [], f"the subnet group of {item.logical_id} is not among these templates"
    subnets, unclear = listed(group, "SubnetIds")
    groups, vague = listed(item, "VPCSecurityGroups")
    public = item.get("PubliclyAccessible") in (True, "true")
    found, unknown = reachable.interfaces(item, subnets, groups, public=public)
    return found, unclear or vague or unknown


def database_port(item: Resource) -> int:
    """The port that a database listens on: as it says, or its engine's own."""
    port = item.get("Port")
    try:
        return int(port)
    except (TypeError, ValueError):
        engine = str(item.get("Engine", default="postgres"))
        return next((number for name, number in _PORTS.items() if engine.startswith(name)), 5432)
