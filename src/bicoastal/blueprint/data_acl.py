"""The network ACL of the data subnets: a second lock, which no security group can open.

Stateless: each connection needs its answer's direction too. Inside a region PostgreSQL is reached from the application
subnets, and databases reach each other for replication; the other region's application subnets are added by `peering`.
"""

from __future__ import annotations

from typing import Final

from bicoastal.blueprint import ports
from bicoastal.blueprint.address_plan import AddressPlan
from bicoastal.blueprint.stack import Resource, Stack
from bicoastal.blueprint.zones import AvailabilityZone
from bicoastal.cfn.intrinsics import Value

_TCP: Final = 6
_EPHEMERAL: Final = (1024, 65535)
_POSTGRESQL: Final = (ports.POSTGRESQL, ports.POSTGRESQL)
FIRST_NUMBER_OF_PEERING: Final = 200


def add_data_acl(
    stack: Stack, vpc: Resource, plan: AddressPlan, zones: tuple[AvailabilityZone, ...], subnets: list[Resource]
) -> Resource:
    """The ACL, its entries for this region, and the data subnets under it."""
    acl = stack.add("DataNetworkAcl", "AWS::EC2::NetworkAcl", {"VpcId": vpc.ref})
    add_entries(stack, acl.ref, "Application", plan.application_block, 100)
    _add_entry(stack, acl.ref, "DataAsksData", plan.data_block, 110, port_range=_POSTGRESQL, egress=False)
    _add_entry(stack, acl.ref, "DataIsAskedByData", plan.data_block, 110, port_range=_POSTGRESQL, egress=True)
    _add_entry(stack, acl.ref, "DataHearsData", plan.data_block, 120, port_range=_EPHEMERAL, egress=False)
    _add_entry(stack, acl.ref, "DataAnswersData", plan.data_block, 120, port_range=_EPHEMERAL, egress=True)
    for zone, subnet in zip(zones, subnets, strict=True):
        stack.add(
            f"DataNetworkAclAssociation{zone.letter}",
            "AWS::EC2::SubnetNetworkAclAssociation",
            {"SubnetId": subnet.ref, "NetworkAclId": acl.ref},
            condition=zone.condition,
        )
    return acl


def add_entries(stack: Stack, acl: Value, client: str, block: Value, number: int) -> None:
    """PostgreSQL from a block of clients, and the answers back to it."""
    _add_entry(stack, acl, f"{client}AsksData", block, number, port_range=_POSTGRESQL, egress=False)
    _add_entry(stack, acl, f"DataAnswers{client}", block, number, port_range=_EPHEMERAL, egress=True)


def _add_entry(
    stack: Stack, acl: Value, name: str, block: Value, number: int, *, port_range: tuple[int, int], egress: bool
) -> None:
    stack.add(
        f"{name}Entry",
        "AWS::EC2::NetworkAclEntry",
        {
            "NetworkAclId": acl,
            "RuleNumber": number,
            "Egress": egress,
            "RuleAction": "allow",
            "Protocol": _TCP,
            "PortRange": {"From": port_range[0], "To": port_range[1]},
            "CidrBlock": block,
        },
    )
