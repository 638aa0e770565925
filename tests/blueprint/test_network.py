"""Where packets can go inside a region, in every egress mode and with any number of zones."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

import pytest

from bicoastal.cfn.deployment import Deployment
from tests.support.private_network import HOME, STANDBY, acl_admits, private_network, routes, subnets, tier, two_regions

ANYWHERE = IPv4Network("0.0.0.0/0")
MODES = ["nat-per-az", "one-nat", "endpoints-only"]
ZONES = [(2, 2), (3, 3), (3, 2), (2, 3)]


@pytest.fixture(params=[(mode, zones) for mode in MODES for zones in ZONES], ids=str, scope="module")
def built(request: pytest.FixtureRequest) -> tuple[str, Deployment]:
    mode, zones = request.param
    return mode, private_network(egress=mode, regions=two_regions(zones=zones))


def test_nothing_leads_from_the_data_subnets_to_the_internet(built: tuple[str, Deployment]) -> None:
    _, deployment = built
    for region, other in ((HOME, STANDBY), (STANDBY, HOME)):
        theirs = list(subnets(deployment, other, "Application").values())
        for subnet in tier(deployment, region, "Data"):
            found = routes(deployment, subnet)
            assert [route.target for route in found] == ["VpcPeeringConnectionId"]
            assert all(block.subnet_of(found[0].destination) for block in theirs)
        for endpoint in deployment.of_type("AWS::EC2::VPCEndpoint", region=region):
            tables = [deployment.resource(table) for table in endpoint.items("RouteTableIds")]
            assert not [table for table in tables if table and table.logical_id.startswith("Data")]


def test_instances_leave_by_the_nat_of_their_own_zone_or_not_at_all(built: tuple[str, Deployment]) -> None:
    mode, deployment = built
    for region in (HOME, STANDBY):
        for subnet in tier(deployment, region, "Application"):
            default = [route for route in routes(deployment, subnet) if route.destination == ANYWHERE]
            if mode == "endpoints-only":
                assert default == []
                continue
            assert [route.target for route in default] == ["NatGatewayId"]
            nat_subnet = deployment.resource(default[0].to.get("SubnetId"))
            assert nat_subnet is not None
            assert [route.target for route in routes(deployment, nat_subnet)] == ["GatewayId"]
            same_zone = nat_subnet.get("AvailabilityZone") == subnet.get("AvailabilityZone")
            assert same_zone or mode == "one-nat"
        wanted = {"nat-per-az": len(tier(deployment, region, "Public")), "one-nat": 1, "endpoints-only": 0}[mode]
        assert len(deployment.of_type("AWS::EC2::NatGateway", region=region)) == wanted
        assert len(deployment.of_type("AWS::EC2::EIP", region=region)) == wanted


def test_no_subnet_gives_public_addresses_and_each_tier_is_in_every_zone(built: tuple[str, Deployment]) -> None:
    _, deployment = built
    for region in (HOME, STANDBY):
        assert {item.get("MapPublicIpOnLaunch") for item in deployment.of_type("AWS::EC2::Subnet", region=region)} == {
            False
        }
        zones = [set(subnets(deployment, region, name)) for name in ("Public", "Application", "Data")]
        assert zones[0] == zones[1] == zones[2]


def test_endpoints_stand_in_every_zone_and_without_nat_there_are_all_that_a_boot_calls(
    built: tuple[str, Deployment],
) -> None:
    mode, deployment = built
    needed = {"secretsmanager", "ssm", "ssmmessages", "logs", "monitoring"}
    if mode == "endpoints-only":
        needed |= {"cloudformation", "ec2"}
    for region in (HOME, STANDBY):
        endpoints = deployment.of_type("AWS::EC2::VPCEndpoint", region=region)
        interfaces = [item for item in endpoints if item.get("VpcEndpointType") == "Interface"]
        assert {str(item.get("ServiceName")) for item in interfaces} == {
            f"com.amazonaws.{region}.{service}" for service in needed
        }
        for item in interfaces:
            assert item.get("PrivateDnsEnabled") is True
            homes = [deployment.resource(subnet) for subnet in item.items("SubnetIds")]
            assert [subnet.logical_id for subnet in homes if subnet] == [
                subnet.logical_id for subnet in tier(deployment, region, "Application")
            ]
            for statement in item.items("PolicyDocument", "Statement"):
                assert list(statement["Condition"]["StringEquals"]) == ["aws:PrincipalAccount"]
        gateway = next(item for item in endpoints if item.get("VpcEndpointType") == "Gateway")
        assert len(gateway.items("RouteTableIds")) == len(tier(deployment, region, "Application"))


def test_through_the_storage_endpoint_only_our_bucket_and_amazon_linux_are_reached() -> None:
    deployment = private_network()
    endpoint = deployment.stacks[f"network/{HOME}"].resources["StorageEndpoint"]
    resources = [
        deployment.spelled(item)
        for statement in endpoint.items("PolicyDocument", "Statement")
        for item in statement["Resource"]
    ]
    assert all("files-" in item or "ArtifactBucket" in item or "al2023-repos-us-east-1-" in item for item in resources)
    writes = [
        statement
        for statement in endpoint.items("PolicyDocument", "Statement")
        if any(action.startswith(("s3:Put", "s3:*", "*")) for action in statement["Action"])
    ]
    assert [deployment.spelled(item).endswith("/bootstrap/*") for item in writes[0]["Resource"]] == [True]
    assert len(writes) == 1


@pytest.mark.parametrize("flows", [[], ["writes"]])
def test_the_data_subnets_acl_lets_postgresql_in_and_its_answers_out(flows: list[str]) -> None:
    deployment = private_network(residency={"flows": flows})
    own = _first_host(deployment, HOME, "Application")
    neighbor = _first_host(deployment, HOME, "Data")
    theirs = _first_host(deployment, STANDBY, "Application")
    public = _first_host(deployment, HOME, "Public")
    for client, admitted in ((own, True), (neighbor, True), (theirs, bool(flows)), (public, False)):
        assert acl_admits(deployment, HOME, egress=False, other=client, port=5432) is admitted
        assert acl_admits(deployment, HOME, egress=True, other=client, port=40000) is admitted
    assert acl_admits(deployment, HOME, egress=True, other=neighbor, port=5432)
    assert not acl_admits(deployment, HOME, egress=False, other=own, port=22)
    assert not acl_admits(deployment, HOME, egress=False, other=own, port=40000)
    for port in (443, 40000):
        assert not acl_admits(deployment, HOME, egress=True, other=IPv4Address("203.0.113.9"), port=port)


def test_flow_logs_record_everything_into_a_declared_group_of_ours() -> None:
    deployment = private_network()
    for region in (HOME, STANDBY):
        (log,) = deployment.of_type("AWS::EC2::FlowLog", region=region)
        group = next(item for item in deployment.of_type("AWS::Logs::LogGroup", region=region))
        assert log.get("TrafficType") == "ALL"
        assert deployment.leads_to(log.get("LogGroupName"), group)
        assert group.get("RetentionInDays") == 30
        key = deployment.resource(group.get("KmsKeyId"))
        assert key is not None
        assert (key.logical_id, key.region) == ("LogsKey", region)
        role = deployment.resource(log.get("DeliverLogsPermissionArn"))
        assert role is not None
        boundary = deployment.resource(role.get("PermissionsBoundary"))
        assert boundary is not None
        assert boundary.type == "AWS::IAM::ManagedPolicy"


def _first_host(deployment: Deployment, region: str, name: str) -> IPv4Address:
    return next(next(iter(subnets(deployment, region, name).values())).hosts())
