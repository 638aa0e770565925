"""A balancer whose packets do not arrive at its targets answers 503 or 504, in the best of times."""

from __future__ import annotations

from tests.support.findings import said
from tests.support.pieces import BALANCER, FLEET, VPC

RULE = "balancer-cannot-reach-targets"


def test_an_open_port() -> None:
    assert said(RULE, VPC + BALANCER + FLEET) == []


def test_another_port() -> None:
    (text,) = said(RULE, (VPC + BALANCER + FLEET).replace("FromPort: 8080, ToPort: 8080", "FromPort: 80, ToPort: 80"))
    assert text.startswith("error: Balancer sends requests to port 8080, and security group Instances of Fleet")


def test_by_address_of_its_own_subnets() -> None:
    assert (
        said(
            RULE, (VPC + BALANCER + FLEET).replace("SourceSecurityGroupId: !Ref Users", "CidrIp: !GetAtt Vpc.CidrBlock")
        )
        == []
    )


def test_a_peer_that_is_not_known_may_be_the_balancer() -> None:
    assert (
        said(
            RULE,
            (VPC + BALANCER + FLEET).replace("SourceSecurityGroupId: !Ref Users", "SourceSecurityGroupId: !Ref Peer"),
        )
        == []
    )


def test_a_group_of_somebody_else_is_not_guessed() -> None:
    (text,) = said(
        RULE, (VPC + BALANCER + FLEET).replace("SecurityGroupIds: [!Ref Instances]", "SecurityGroupIds: [sg-0123]")
    )
    assert text.startswith("info: Whether Balancer reaches it: security group sg-0123 is not among these templates.")
