"""A subnet lies inside its VPC and shares no address with another one."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.cfn.deployment import Resource
from bicoastal.cfn.values import Value
from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.model.network import contains
from bicoastal.review.rule import Hit, Rule, Seen

RULE = Rule(
    "subnet-blocks-clash",
    Severity.ERROR,
    "A subnet overlaps another one, or lies outside its VPC",
    "The stack cannot be created; with a parameter, perhaps only in the second region.",
    "Cut the subnets from the VPC's block, for example with Fn::Cidr.",
    ("AWS::EC2::Subnet",),
    "https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html",
)


def look(case: Case) -> Iterator[Seen]:
    """Subnets of one VPC, where the blocks are known."""
    for region in case.deployment.regions:
        seen: list[Resource] = []
        for subnet in case.deployment.of_type("AWS::EC2::Subnet", region=region):
            vpc = case.deployment.resource(subnet.get("VpcId"))
            block = subnet.get("CidrBlock")
            if vpc is None or vpc.type != "AWS::EC2::VPC" or not _known(block) or not _known(vpc.get("CidrBlock")):
                continue
            more = case.deployment.referring(vpc, "AWS::EC2::VPCCidrBlock")
            if not contains(vpc.get("CidrBlock"), block) and not more:
                yield Hit(subnet, f"{subnet.logical_id} ({block}) lies outside {vpc.get('CidrBlock')}.", ("CidrBlock",))
            for other in seen:
                same_vpc = case.deployment.resource(other.get("VpcId")) is vpc
                if same_vpc and any(
                    contains(*pair) for pair in ((block, other.get("CidrBlock")), (other.get("CidrBlock"), block))
                ):
                    yield Hit(subnet, f"{subnet.logical_id} ({block}) overlaps {other.logical_id}.", ("CidrBlock",))
            if subnet.exists:
                seen.append(subnet)


def _known(block: Value) -> bool:
    return isinstance(block, str) and "/" in block
