"""What EC2 answers, read into the model: each shape that decides something."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest

from bicoastal.reach import described
from bicoastal.reach.model import EVERY_PORT, Leads, Peering, Ports, Region, Side

EAST, WEST = "us-east-1", "us-west-2"


def region(**answers: list[dict[str, Any]]) -> Region:
    return described.region(EAST, answers)


@pytest.mark.parametrize(
    ("route", "leads", "target"),
    [
        ({"GatewayId": "local"}, Leads.LOCAL, "local"),
        ({"GatewayId": "igw-1"}, Leads.INTERNET, "igw-1"),
        ({"GatewayId": "vpce-1", "DestinationPrefixListId": "pl-1"}, Leads.ENDPOINT, "vpce-1"),
        ({"GatewayId": "vgw-1"}, Leads.OTHER, "vgw-1"),
        ({"NatGatewayId": "nat-1"}, Leads.NAT, "nat-1"),
        ({"VpcPeeringConnectionId": "pcx-1"}, Leads.PEERING, "pcx-1"),
        ({"TransitGatewayId": "tgw-1"}, Leads.OTHER, "tgw-1"),
    ],
)
def test_routes(route: dict[str, str], leads: Leads, target: str) -> None:
    table = {"RouteTableId": "rtb-1", "VpcId": "vpc-1", "Routes": [{"DestinationCidrBlock": "0.0.0.0/0", **route}]}
    (found,) = region(RouteTables=[table]).tables["rtb-1"].routes
    assert (found.leads, found.target, found.active) == (leads, target, True)
    table["Routes"] = [{"DestinationCidrBlock": "0.0.0.0/0", "State": "blackhole", **route}]
    assert not region(RouteTables=[table]).tables["rtb-1"].routes[0].active


def test_a_subnet_has_its_own_table_and_acl_or_its_vpcs() -> None:
    found = region(
        Subnets=[
            {"SubnetId": id_, "VpcId": "vpc-1", "AvailabilityZone": "us-east-1a", "CidrBlock": block}
            for id_, block in (("subnet-1", "10.0.0.0/24"), ("subnet-2", "10.0.1.0/24"))
        ],
        RouteTables=[
            {"RouteTableId": "rtb-main", "VpcId": "vpc-1", "Associations": [{"Main": True}]},
            {"RouteTableId": "rtb-1", "VpcId": "vpc-1", "Associations": [{"Main": False, "SubnetId": "subnet-1"}]},
        ],
        NetworkAcls=[
            {"NetworkAclId": "acl-default", "VpcId": "vpc-1", "IsDefault": True},
            {"NetworkAclId": "acl-1", "VpcId": "vpc-1", "IsDefault": False, "Associations": [{"SubnetId": "subnet-1"}]},
        ],
    ).subnets
    assert {id_: (item.table, item.acl) for id_, item in found.items()} == {
        "subnet-1": ("rtb-1", "acl-1"),
        "subnet-2": ("rtb-main", "acl-default"),
    }


def test_a_permission_is_a_rule_for_each_of_its_peers() -> None:
    permission = {
        "IpProtocol": "tcp",
        "FromPort": 1,
        "ToPort": 2,
        "IpRanges": [{"CidrIp": "10.0.0.0/8"}],
        "Ipv6Ranges": [{"CidrIpv6": "::/0"}],
        "UserIdGroupPairs": [{"GroupId": "sg-2"}],
        "PrefixListIds": [{"PrefixListId": "pl-1"}],
    }
    every = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    group = {"GroupId": "sg-1", "VpcId": "vpc-1", "IpPermissions": [permission], "IpPermissionsEgress": [every]}
    rules = region(SecurityGroups=[group]).groups["sg-1"].rules
    peers = [(rule.egress, rule.block, rule.group, rule.prefix_list) for rule in rules]
    assert peers == [
        (False, ip_network("10.0.0.0/8"), "", ""),
        (False, ip_network("::/0"), "", ""),
        (False, None, "sg-2", ""),
        (False, None, "", "pl-1"),
        (True, ip_network("0.0.0.0/0"), "", ""),
    ]
    assert [rule.ports for rule in rules[:1] + rules[-1:]] == [Ports("tcp", 1, 2), Ports("-1", *EVERY_PORT)]
    assert described.named_prefix_lists({"SecurityGroups": [group]}) == {"pl-1"}


def test_protocols_of_acls_are_numbers_there_and_names_here() -> None:
    entries = [
        {"RuleNumber": 1, "Egress": False, "RuleAction": "allow", "Protocol": "6", "CidrBlock": "10.0.0.0/8",
         "PortRange": {"From": 5432, "To": 5432}},
        {"RuleNumber": 32767, "Egress": True, "RuleAction": "deny", "Protocol": "-1", "CidrBlock": "0.0.0.0/0"},
    ]  # fmt: skip
    found = region(NetworkAcls=[{"NetworkAclId": "acl-1", "VpcId": "vpc-1", "Entries": entries}]).acls["acl-1"].entries
    assert [(item.number, item.egress, item.allow, item.ports) for item in found] == [
        (1, False, True, Ports("tcp", 5432, 5432)),
        (32767, True, False, Ports("-1")),
    ]


def test_gateways_endpoints_and_lists() -> None:
    found = region(
        Vpcs=[
            {
                "VpcId": "vpc-1",
                "CidrBlock": "10.0.0.0/16",
                "CidrBlockAssociationSet": [
                    {"CidrBlock": "10.0.0.0/16", "CidrBlockState": {"State": "associated"}},
                    {"CidrBlock": "10.1.0.0/16", "CidrBlockState": {"State": "associated"}},
                    {"CidrBlock": "10.2.0.0/16", "CidrBlockState": {"State": "disassociated"}},
                ],
            }
        ],
        InternetGateways=[
            {"InternetGatewayId": "igw-1", "Attachments": [{"State": "available", "VpcId": "vpc-1"}]},
            {"InternetGatewayId": "igw-2", "Attachments": []},
        ],
        NatGateways=[{"NatGatewayId": "nat-1", "SubnetId": "subnet-1", "State": "deleted"}],
        VpcEndpoints=[
            {
                "VpcEndpointId": "vpce-1",
                "VpcId": "vpc-1",
                "ServiceName": f"com.amazonaws.{EAST}.logs",
                "State": "Available",
                "VpcEndpointType": "Interface",
                "PrivateDnsEnabled": True,
                "SubnetIds": ["subnet-1"],
                "Groups": [{"GroupId": "sg-1"}],
            },
        ],
        PrefixLists=[{"PrefixListId": "pl-1", "PrefixListName": "mine", "Cidrs": ["192.0.2.0/24"]}],
    )  # fmt: skip
    assert found.vpcs["vpc-1"].blocks == (ip_network("10.0.0.0/16"), ip_network("10.1.0.0/16"))
    assert found.internet_gateways == {"igw-1": "vpc-1", "igw-2": ""}
    assert (found.nat_gateways["nat-1"].state, found.nat_gateways["nat-1"].public) == ("deleted", True)
    endpoint = found.endpoints["vpce-1"]
    assert (endpoint.interface, endpoint.state, endpoint.private_names) == (True, "available", True)
    assert (endpoint.subnets, endpoint.groups) == (("subnet-1",), ("sg-1",))
    assert found.prefix_lists["pl-1"].blocks == (ip_network("192.0.2.0/24"),)


def test_both_regions_tell_of_the_same_peering_connection() -> None:
    told = {
        "VpcPeeringConnections": [
            {
                "VpcPeeringConnectionId": "pcx-1",
                "Status": {"Code": "active"},
                "RequesterVpcInfo": {"Region": EAST, "VpcId": "vpc-e"},
                "AccepterVpcInfo": {"Region": WEST, "VpcId": "vpc-w"},
            }
        ]
    }
    assert described.peerings([told, told]) == {
        "pcx-1": Peering("pcx-1", "active", (Side(EAST, "vpc-e"), Side(WEST, "vpc-w")))
    }
