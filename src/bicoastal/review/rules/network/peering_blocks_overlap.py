"""Peering routes by address: two networks with the same addresses cannot be joined."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.model.network import contains
from bicoastal.review.rule import Hit, Rule, Seen

RULE = Rule(
    "peering-blocks-overlap",
    Severity.ERROR,
    "The address blocks of peered VPCs overlap",
    "The connection fails, or packets stay at home that were meant for the other region.",
    "Give the VPCs blocks that do not overlap; a VPC's block cannot be changed later.",
    ("AWS::EC2::VPCPeeringConnection",),
    "https://docs.aws.amazon.com/vpc/latest/peering/invalid-peering-configurations.html",
)


def look(case: Case) -> Iterator[Seen]:
    """Both ends, where both are here."""
    for peering in case.deployment.of_type("AWS::EC2::VPCPeeringConnection"):
        ends = [case.deployment.resource(peering.get(name)) for name in ("VpcId", "PeerVpcId")]
        blocks = [end.get("CidrBlock") for end in ends if end is not None]
        if len(blocks) == 2 and ends[0] is not ends[1] and any(contains(*pair) for pair in (blocks, blocks[::-1])):
            yield Hit(peering, f"{peering.logical_id} joins {blocks[0]} and {blocks[1]}.", ("PeerVpcId",))
