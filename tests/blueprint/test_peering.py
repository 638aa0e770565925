"""What crosses between the regions: the declared flows in both directions, and nothing else."""

from __future__ import annotations

from ipaddress import IPv4Network

import pytest

from bicoastal.cfn.manifest import FromOutput, Literal
from bicoastal.cfn.values import Reference
from tests.support.private_network import HOME, STANDBY, private_network, routes, subnets, tier, two_regions, written
from tests.support.specs import spec

PAIRS = [(HOME, STANDBY), (STANDBY, HOME)]


def test_one_side_asks_and_the_other_takes_the_same_connection() -> None:
    deployment = private_network()
    (connection,) = deployment.of_type("AWS::EC2::VPCPeeringConnection")
    assert connection.region == HOME
    assert connection.get("PeerRegion") == STANDBY
    assert connection.get("VpcId") == Reference(f"network/{HOME}", "Vpc")
    assert connection.get("PeerVpcId") == Reference(f"network/{STANDBY}", "Vpc")
    for region in (HOME, STANDBY):
        assert deployment.stacks[f"peering/{region}"].output("PeeringId") == connection.reference


def test_the_accepter_comes_after_the_requester_and_the_requester_needs_nobodys_connection() -> None:
    entries = {entry.id: entry for entry in written(spec()).manifest.stacks}
    assert entries[f"peering/{HOME}"].parameters["AcceptedPeeringId"] == Literal("")
    assert entries[f"peering/{STANDBY}"].parameters["AcceptedPeeringId"] == FromOutput(f"peering/{HOME}", "PeeringId")


@pytest.mark.parametrize("zones", [(2, 2), (3, 3), (3, 2), (2, 3)])
@pytest.mark.parametrize("cidrs", [("10.10.0.0/16", "10.20.0.0/16"), ("10.10.0.0/22", "172.20.0.0/18")])
def test_from_each_application_subnet_to_the_other_regions_databases_and_back(
    zones: tuple[int, int], cidrs: tuple[str, str]
) -> None:
    deployment = private_network(regions=two_regions(*cidrs, zones))
    for here, there in PAIRS:
        targets = list(subnets(deployment, there, "Data").values())
        for subnet in tier(deployment, here, "Application"):
            (across,) = (item for item in routes(deployment, subnet) if item.target == "VpcPeeringConnectionId")
            assert all(block.subnet_of(across.destination) for block in targets)
            source = IPv4Network(str(subnet.get("CidrBlock")))
            for database in tier(deployment, there, "Data"):
                answers = [route for route in routes(deployment, database) if source.subnet_of(route.destination)]
                assert [route.to for route in answers] == [across.to], "the answer does not come back"


def test_no_route_reaches_the_other_regions_public_or_application_subnets_from_instances() -> None:
    deployment = private_network()
    for here, there in PAIRS:
        hidden = [*subnets(deployment, there, "Public").values(), *subnets(deployment, there, "Application").values()]
        for subnet in tier(deployment, here, "Application"):
            across = [item for item in routes(deployment, subnet) if item.target == "VpcPeeringConnectionId"]
            assert not [block for block in hidden for route in across if block.overlaps(route.destination)]
        for subnet in tier(deployment, here, "Public"):
            assert not [item for item in routes(deployment, subnet) if item.target == "VpcPeeringConnectionId"]


def test_a_flow_that_is_not_declared_leaves_the_connection_alone() -> None:
    deployment = private_network(residency={"flows": []})
    assert [item.type for item in deployment.stacks[f"peering/{HOME}"].resources.values()] == [
        "AWS::EC2::VPCPeeringConnection"
    ]
    assert f"peering/{STANDBY}" not in deployment.stacks, "CloudFormation takes no stack without a resource"
