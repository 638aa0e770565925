"""Subnets by their routes, security groups and network ACLs as AWS evaluates them."""

import pytest

from bicoastal.cfn.deployment import Deployment
from bicoastal.review.model import acl
from bicoastal.review.model.network import Kind, Network, contains
from tests.support.templates import deployment_of, resource

NETWORK = """
  Vpc: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.0.0.0/16}}
  Gateway: {Type: AWS::EC2::InternetGateway}
  Attached: {Type: AWS::EC2::VPCGatewayAttachment, Properties: {VpcId: !Ref Vpc, InternetGatewayId: !Ref Gateway}}
  Open: {Type: AWS::EC2::Subnet, Properties: {VpcId: !Ref Vpc, CidrBlock: 10.0.0.0/24, AvailabilityZone: a}}
  OpenTable: {Type: AWS::EC2::RouteTable, Properties: {VpcId: !Ref Vpc}}
  OpenUse:
    {Type: AWS::EC2::SubnetRouteTableAssociation, Properties: {SubnetId: !Ref Open, RouteTableId: !Ref OpenTable}}
  OpenRoute:
    Type: AWS::EC2::Route
    Properties: {RouteTableId: !Ref OpenTable, DestinationCidrBlock: 0.0.0.0/0, GatewayId: !Ref Gateway}
  Address: {Type: AWS::EC2::EIP}
  Nat:
    {Type: AWS::EC2::NatGateway, Properties: {SubnetId: !Ref Open, AllocationId: !GetAtt Address.AllocationId}}
  Inner: {Type: AWS::EC2::Subnet, Properties: {VpcId: !Ref Vpc, CidrBlock: 10.0.1.0/24, AvailabilityZone: a}}
  InnerTable: {Type: AWS::EC2::RouteTable, Properties: {VpcId: !Ref Vpc}}
  InnerUse:
    {Type: AWS::EC2::SubnetRouteTableAssociation, Properties: {SubnetId: !Ref Inner, RouteTableId: !Ref InnerTable}}
  InnerRoute:
    Type: AWS::EC2::Route
    Properties: {RouteTableId: !Ref InnerTable, DestinationCidrBlock: 0.0.0.0/0, NatGatewayId: !Ref Nat}
  Closed: {Type: AWS::EC2::Subnet, Properties: {VpcId: !Ref Vpc, CidrBlock: 10.0.2.0/24, AvailabilityZone: a}}
"""


def kinds(deployment: Deployment) -> dict[str, Kind]:
    network = Network(deployment, "us-east-1")
    return {subnet.resource.logical_id: subnet.kind for subnet in network.subnets}


def test_a_subnet_is_what_its_routes_make_of_it() -> None:
    assert kinds(deployment_of(NETWORK)) == {"Open": Kind.PUBLIC, "Inner": Kind.EGRESS, "Closed": Kind.ISOLATED}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("InternetGatewayId: !Ref Gateway", "VpnGatewayId: vgw-1"),
        ("GatewayId: !Ref Gateway}", "GatewayId: local}"),
        ("DestinationCidrBlock: 0.0.0.0/0, GatewayId", "DestinationCidrBlock: 10.1.0.0/16, GatewayId"),
    ],
)
def test_without_a_way_to_the_internet_nothing_is_public_and_nat_is_none(old: str, new: str) -> None:
    assert old in NETWORK
    assert set(kinds(deployment_of(NETWORK.replace(old, new))).values()) == {Kind.ISOLATED}


GROUPS = """
  Vpc: {Type: AWS::EC2::VPC}
  Web: {Type: AWS::EC2::SecurityGroup, Properties: {VpcId: !Ref Vpc}}
  Data:
    Type: AWS::EC2::SecurityGroup
    Properties:
      VpcId: !Ref Vpc
      SecurityGroupIngress:
        - {IpProtocol: tcp, FromPort: 5432, ToPort: 5432, SourceSecurityGroupId: !GetAtt Web.GroupId}
        - {IpProtocol: tcp, FromPort: 5000, ToPort: 6000, CidrIp: 10.20.0.0/16}
"""
WEB_EGRESS = """
  Out:
    Type: AWS::EC2::SecurityGroupEgress
    Properties: {GroupId: !GetAtt Web.GroupId, IpProtocol: tcp, FromPort: 443, ToPort: 443, CidrIp: 0.0.0.0/0}
"""


def test_groups_reach_each_other_by_group_or_by_block() -> None:
    deployment = deployment_of(GROUPS)
    network = Network(deployment, "us-east-1")
    web, data = resource(deployment, "Web"), resource(deployment, "Data")
    rule, reason = network.reaches([web], [data], 5432)
    assert rule is not None
    assert rule.path == ("SecurityGroupIngress", 0)
    assert reason == ""
    assert network.reaches([web], [data], 5433) == (None, "Data does not let port 5433 in from it")
    assert network.opened(data, 5432, to=["10.20.7.0/24"], ingress=True) is not None
    assert network.opened(data, 5432, to=["10.21.0.0/24"], ingress=True) is None


def test_a_first_egress_rule_closes_what_is_open_by_default() -> None:
    deployment = deployment_of(GROUPS, WEB_EGRESS)
    network = Network(deployment, "us-east-1")
    _, reason = network.reaches([resource(deployment, "Web")], [resource(deployment, "Data")], 5432)
    assert reason == "Web does not let port 5432 out to it"


ACL = """
  List: {Type: AWS::EC2::NetworkAcl, Properties: {VpcId: vpc-1}}
  Ask: {Type: AWS::EC2::NetworkAclEntry, Properties: {NetworkAclId: !Ref List, RuleNumber: 100, Egress: false,
    RuleAction: allow, Protocol: 6, PortRange: {From: 5432, To: 5432}, CidrBlock: 10.0.0.0/16}}
  Answer: {Type: AWS::EC2::NetworkAclEntry, Properties: {NetworkAclId: !Ref List, RuleNumber: 100, Egress: true,
    RuleAction: allow, Protocol: "6", PortRange: {From: 1024, To: 65535}, CidrBlock: 10.0.0.0/16}}
"""
FIRST = """
  Never: {Type: AWS::EC2::NetworkAclEntry, Properties: {NetworkAclId: !Ref List, RuleNumber: 50, Egress: false,
    RuleAction: deny, Protocol: -1, CidrBlock: 10.0.3.0/24}}
"""


def test_network_acls_take_the_first_match_and_need_the_answers_way_too() -> None:
    deployment = deployment_of(ACL, FIRST)
    guard = resource(deployment, "List")
    assert list(acl.blocked(deployment, guard, "10.0.1.0/24", 5432)) == []
    assert list(acl.blocked(deployment, guard, "10.0.3.0/24", 5432)) == ["lets no connection on port 5432 in"]
    no_answer = deployment_of(ACL.replace("From: 1024", "From: 40000"))
    assert list(acl.blocked(no_answer, resource(no_answer, "List"), "10.0.1.0/24", 5432)) == ["lets no answer out"]


def test_blocks_of_nonsense_hold_nothing() -> None:
    assert contains("10.0.0.0/8", "10.1.2.0/24")
    assert not contains("10.0.0.0/8", "::/0")
    assert not contains("x", "10.0.0.0/8")
    assert not contains(None, "10.0.0.0/8")
