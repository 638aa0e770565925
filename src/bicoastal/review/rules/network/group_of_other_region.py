"""A security group is known in its own region only."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.cfn.deployment import Resource
from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.rule import Hit, Rule, Seen

RULE = Rule(
    "group-of-other-region",
    Severity.ERROR,
    "A security-group rule names a group of another region",
    "The rule is refused, or admits nobody: across regions only addresses count.",
    "Name the other side's address block.",
    ("AWS::EC2::SecurityGroup", "AWS::EC2::SecurityGroupIngress", "AWS::EC2::SecurityGroupEgress"),
    "https://docs.aws.amazon.com/vpc/latest/peering/vpc-peering-security-groups.html",
)


def look(case: Case) -> Iterator[Seen]:
    """Rules by the region of the group that they name."""
    for region in case.deployment.regions:
        for group in case.deployment.of_type("AWS::EC2::SecurityGroup", region=region):
            for ingress in (True, False):
                for rule in case.network(region).rules(group, ingress=ingress):
                    if isinstance(rule.peer, Resource) and rule.peer.region != region:
                        text = f"{group.logical_id} of {region} names {rule.peer.logical_id} of {rule.peer.region}."
                        yield Hit(rule.resource, text, rule.path)
