"""Ports for administrators are tried by everybody, all day."""

from __future__ import annotations

from tests.support.findings import said
from tests.support.pieces import BALANCER, FLEET, VPC

RULE = "administration-open-to-the-world"


INSIDE = "FromPort: 8080, ToPort: 8080, SourceSecurityGroupId: !Ref Users"


def test_ssh() -> None:
    text = (VPC + BALANCER + FLEET).replace(INSIDE, "FromPort: 22, ToPort: 22, CidrIp: 0.0.0.0/0")
    (said_of_it,) = said(RULE, text)
    assert said_of_it.startswith("warning: Instances opens SSH to 0.0.0.0/0.")


def test_everything_of_a_load_balancer_that_listens_on_one_port() -> None:
    open_ = (VPC + BALANCER + FLEET).replace("IpProtocol: tcp, FromPort: 443, ToPort: 443", 'IpProtocol: "-1"')
    assert said(RULE, open_) == []
    (shared,) = said(RULE, open_.replace("SecurityGroupIds: [!Ref Instances]", "SecurityGroupIds: [!Ref Users]"))
    assert shared.startswith("warning: Users opens everything")


def test_https() -> None:
    assert said(RULE, VPC + BALANCER + FLEET) == []


def test_from_one_network() -> None:
    text = (VPC + BALANCER + FLEET).replace(INSIDE, "FromPort: 22, ToPort: 22, CidrIp: 192.0.2.0/24")
    assert said(RULE, text) == []


GROUP = """
Group:
  Type: AWS::EC2::SecurityGroup
  Properties: {SecurityGroupIngress: [{IpProtocol: tcp, FromPort: 22, ToPort: 22, CidrIp: 0.0.0.0/0}]}
"""
FUNCTION = """
Function:
  Type: AWS::Lambda::Function
  Properties: {VpcConfig: {SecurityGroupIds: [!Ref Group]}}
"""


def test_a_group_of_functions() -> None:
    assert said(RULE, GROUP + FUNCTION) == []
    assert len(said(RULE, GROUP)) == 1
