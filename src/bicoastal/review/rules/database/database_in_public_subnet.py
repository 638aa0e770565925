"""A database belongs into subnets that the internet has no route to."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.rule import Hit, Rule, Seen

RULE = Rule(
    "database-in-public-subnet",
    Severity.ERROR,
    "A database's subnet group holds a subnet that is routed to the internet",
    "One changed flag or one rule too many, and the data are on the internet.",
    "Give the group subnets whose route table has no internet gateway.",
    ("AWS::RDS::DBSubnetGroup",),
    "https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_VPC.WorkingWithRDSInstanceinaVPC.html",
)


def look(case: Case) -> Iterator[Seen]:
    """Subnets by their effective routes, whatever they are called."""
    for group in case.deployment.of_type("AWS::RDS::DBSubnetGroup"):
        for index, value in enumerate(group.items("SubnetIds")):
            subnet = case.deployment.resource(value)
            if subnet is None or subnet.type != "AWS::EC2::Subnet":
                continue
            if case.reachable.is_public(subnet):
                text = f"{subnet.logical_id} of {group.logical_id} has a route to an internet gateway."
                yield Hit(group, text, ("SubnetIds", index))
