"""VPC endpoints by the API: their routes come and go with them, and their groups and private names are answered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.cloudformation import Account

SERVICE = "com.amazonaws.us-east-1"


@pytest.fixture
def ec2(account: Account) -> Any:
    return account.client("ec2")


@pytest.fixture
def vpc(ec2: Any) -> Iterator[str]:
    made = ec2.create_vpc(CidrBlock="10.99.0.0/16")["Vpc"]["VpcId"]
    yield made
    for endpoint in described(ec2, made):
        ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint["VpcEndpointId"]])


def described(ec2: Any, vpc: str, **filters: str) -> list[Any]:
    conditions = [{"Name": name.replace("_", "-"), "Values": [value]} for name, value in filters.items()]
    by_vpc = {"Name": "vpc-id", "Values": [vpc]}
    return list(ec2.describe_vpc_endpoints(Filters=[by_vpc, *conditions])["VpcEndpoints"])


def routes(ec2: Any, table: str) -> list[Any]:
    found = ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Routes"]
    return [route for route in found if route.get("GatewayId", "").startswith("vpce-")]


def test_a_gateway_endpoint_is_a_route_in_the_tables_that_it_names(ec2: Any, vpc: str) -> None:
    tables = [ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"] for _ in range(2)]
    made = ec2.create_vpc_endpoint(VpcId=vpc, ServiceName=f"{SERVICE}.s3", RouteTableIds=tables[:1])["VpcEndpoint"]
    lists = ec2.describe_prefix_lists(Filters=[{"Name": "prefix-list-name", "Values": [f"{SERVICE}.s3"]}])
    (route,) = routes(ec2, tables[0])
    assert route["GatewayId"] == made["VpcEndpointId"]
    assert route["DestinationPrefixListId"] == lists["PrefixLists"][0]["PrefixListId"]
    assert routes(ec2, tables[1]) == []
    ec2.modify_vpc_endpoint(
        VpcEndpointId=made["VpcEndpointId"], AddRouteTableIds=tables[1:], RemoveRouteTableIds=tables[:1]
    )
    assert [len(routes(ec2, table)) for table in tables] == [0, 1]
    with pytest.raises(ClientError, match="RouteAlreadyExists"):
        ec2.create_vpc_endpoint(VpcId=vpc, ServiceName=f"{SERVICE}.s3", RouteTableIds=tables)
    assert [len(routes(ec2, table)) for table in tables] == [0, 1], "nothing of the refused one is left"
    ec2.delete_vpc_endpoints(VpcEndpointIds=[made["VpcEndpointId"]])
    assert routes(ec2, tables[1]) == []


def test_an_interface_endpoint_has_groups_and_takes_the_services_name(ec2: Any, vpc: str) -> None:
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.99.1.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(VpcId=vpc, GroupName="endpoints", Description="endpoints")["GroupId"]
    made = ec2.create_vpc_endpoint(
        VpcId=vpc,
        ServiceName=f"{SERVICE}.logs",
        VpcEndpointType="Interface",
        SubnetIds=[subnet],
        SecurityGroupIds=[group],
    )["VpcEndpoint"]
    assert made["PrivateDnsEnabled"], "EC2's default"
    assert [(item["GroupId"], item["GroupName"]) for item in made["Groups"]] == [(group, "endpoints")]
    ec2.modify_vpc_endpoint(VpcEndpointId=made["VpcEndpointId"], PrivateDnsEnabled=False)
    (found,) = described(ec2, vpc, service_name=f"{SERVICE}.logs", vpc_endpoint_type="Interface")
    assert not found["PrivateDnsEnabled"]
    assert found["SubnetIds"] == [subnet]
    bare = ec2.create_vpc_endpoint(
        VpcId=vpc, ServiceName=f"{SERVICE}.kms", VpcEndpointType="Interface", SubnetIds=[subnet]
    )["VpcEndpoint"]
    assert [item["GroupName"] for item in bare["Groups"]] == ["default"]


def test_what_is_not_there_is_refused(ec2: Any, vpc: str) -> None:
    with pytest.raises(ClientError, match=r"InvalidVpcEndpointId\.NotFound"):
        ec2.modify_vpc_endpoint(VpcEndpointId="vpce-0", PrivateDnsEnabled=False)
    with pytest.raises(ClientError, match=r"InvalidVpcEndpointId\.NotFound"):
        ec2.describe_vpc_endpoints(VpcEndpointIds=["vpce-0"])
    with pytest.raises(ClientError, match=r"InvalidVpcId\.NotFound"):
        ec2.create_vpc_endpoint(VpcId="vpc-0", ServiceName=f"{SERVICE}.s3")
    with pytest.raises(ClientError, match=r"InvalidRouteTableId\.NotFound"):
        ec2.create_vpc_endpoint(VpcId=vpc, ServiceName=f"{SERVICE}.s3", RouteTableIds=["rtb-0"])
    assert described(ec2, vpc) == []
