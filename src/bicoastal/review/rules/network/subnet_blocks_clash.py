"""A subnet lies inside its VPC and shares no address with another one."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network

from bicoastal.cfn.deployment import Resource
from bicoastal.cfn.values import Value
from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
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
    for vpc in case.deployment.of_type("AWS::EC2::VPC"):
        more = case.deployment.referring(vpc, "AWS::EC2::VPCCidrBlock")
        own = [
            (block, item)
            for item in case.deployment.referring(vpc, "AWS::EC2::Subnet")
            if (block := _block(item.get("CidrBlock"))) is not None and item.exists
        ]
        whole = _block(vpc.get("CidrBlock"))
        for block, item in own:
            if whole is not None and not more and not block.subnet_of(whole):
                yield Hit(item, f"{item.logical_id} ({block}) lies outside {whole}.", ("CidrBlock",))
        # In the order of their addresses a block overlaps one before it, or none.
        own.sort(key=lambda pair: (pair[0].network_address, pair[0].prefixlen))
        last: tuple[IPv4Network, Resource] | None = None
        for block, item in own:
            if last is not None and block.subnet_of(last[0]):
                yield Hit(item, f"{item.logical_id} ({block}) overlaps {last[1].logical_id}.", ("CidrBlock",))
            else:
                last = (block, item)


def _block(value: Value) -> IPv4Network | None:
    """A block that is known; None for anything else."""
    try:
        return IPv4Network(value, strict=False) if isinstance(value, str) else None
    except ValueError:
        return None
