"""Who may open a connection to whom, inside the region, by group and never by address.

    anywhere --80,443--> balancer --application, gate--> fleet --5432--> database
                                                           fleet --443--> anywhere, endpoints

Rules between two groups are resources of their own: written inside the groups, they would need each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bicoastal.blueprint import ports
from bicoastal.blueprint.stack import Resource, Stack
from bicoastal.cfn.intrinsics import Commented, Value

_NOWHERE: Final = Commented(
    [{"IpProtocol": "-1", "CidrIp": "127.0.0.1/32", "Description": "Nowhere"}],
    "Without a rule of its own a group gets AWS's default: everything to everywhere. This one lets nothing out.",
)
_CLIENTS: Final = "0.0.0.0/0"


@dataclass(frozen=True)
class SecurityGroups:
    """The groups of the region."""

    balancer: Resource
    fleet: Resource
    database: Resource
    endpoints: Resource


def add_security_groups(stack: Stack, vpc: Resource) -> SecurityGroups:
    """The four groups and the rules between them."""
    groups = SecurityGroups(
        balancer=_add_balancer(stack, vpc),
        fleet=_add_fleet(stack, vpc),
        database=_add_group(stack, "DatabaseGroup", vpc, "Databases: PostgreSQL from the fleet"),
        endpoints=_add_group(stack, "EndpointGroup", vpc, "APIs of AWS by private addresses, for the fleet"),
    )
    app = stack.spec.app.port
    _connect(stack, "BalancerToApplication", groups.balancer, groups.fleet, port=app, why="Requests, and health checks")
    _connect(
        stack, "BalancerToGate", groups.balancer, groups.fleet, port=ports.GATE, why="Requests while the gate is closed"
    )
    _connect(stack, "FleetToDatabase", groups.fleet, groups.database, port=ports.POSTGRESQL, why="PostgreSQL")
    stack.add(
        "FleetToEndpointsIngress",
        "AWS::EC2::SecurityGroupIngress",
        {
            "GroupId": groups.endpoints.att("GroupId"),
            "SourceSecurityGroupId": groups.fleet.att("GroupId"),
            **_tcp(ports.HTTPS, "APIs of AWS"),
        },
    )
    return groups


def _add_balancer(stack: Stack, vpc: Resource) -> Resource:
    return _add_group(
        stack,
        "BalancerGroup",
        vpc,
        "Load balancer: the public, in by HTTPS",
        ingress=[
            {"CidrIp": _CLIENTS, **_tcp(ports.HTTP, "Redirected to HTTPS")},
            {"CidrIp": _CLIENTS, **_tcp(ports.HTTPS, "The public")},
        ],
        accept={
            "CKV_AWS_260": "Port 80 of the public load balancer answers with a redirect to HTTPS and nothing else."
        },
    )


def _add_fleet(stack: Stack, vpc: Resource) -> Resource:
    return _add_group(
        stack,
        "FleetGroup",
        vpc,
        "Instances: requests from the load balancer",
        egress=Commented(
            [{"CidrIp": _CLIENTS, **_tcp(ports.HTTPS, "APIs of AWS, and packages")}],
            "To anywhere, because AWS's public addresses have no list that CloudFormation could name here. Where it "
            "leads is the routes' affair: to the endpoints alone, or through NAT. DNS, time and instance metadata "
            "pass every security group.",
        ),
    )


def _add_group(
    stack: Stack,
    logical_id: str,
    vpc: Resource,
    description: str,
    *,
    ingress: list[Value] | None = None,
    egress: Value = _NOWHERE,
    accept: dict[str, str] | None = None,
) -> Resource:
    return stack.add(
        logical_id,
        "AWS::EC2::SecurityGroup",
        {
            "VpcId": vpc.ref,
            "GroupDescription": description,
            "SecurityGroupIngress": ingress,
            "SecurityGroupEgress": egress,
        },
        accept=accept,
    )


def _connect(stack: Stack, name: str, source: Resource, target: Resource, *, port: int, why: str) -> None:
    """Let `source` open connections to `target`, in the rules of both."""
    stack.add(
        f"{name}Egress",
        "AWS::EC2::SecurityGroupEgress",
        {
            "GroupId": source.att("GroupId"),
            "DestinationSecurityGroupId": target.att("GroupId"),
            **_tcp(port, why),
        },
    )
    stack.add(
        f"{name}Ingress",
        "AWS::EC2::SecurityGroupIngress",
        {"GroupId": target.att("GroupId"), "SourceSecurityGroupId": source.att("GroupId"), **_tcp(port, why)},
    )


def _tcp(port: int, why: str) -> dict[str, Value]:
    return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "Description": why}
