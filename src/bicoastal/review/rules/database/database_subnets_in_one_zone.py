"""A subnet group of one zone leaves a standby nowhere to stand."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.model.zones import zones
from bicoastal.review.rule import Hit, Rule, Seen

RULE = Rule(
    "database-subnets-in-one-zone",
    Severity.ERROR,
    "A database's subnet group spans one Availability Zone",
    "RDS refuses it, or a Multi-AZ standby cannot be created: there is no failover inside the region.",
    "Give the group subnets in two Availability Zones or more.",
    ("AWS::RDS::DBSubnetGroup",),
    "https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_VPC.WorkingWithRDSInstanceinaVPC.html",
)


def look(case: Case) -> Iterator[Seen]:
    """Zones by the subnets; a subnet of somebody else's may stand anywhere."""
    for item in case.deployment.of_type("AWS::RDS::DBSubnetGroup"):
        found, unclear = zones(case.deployment, item.items("SubnetIds"))
        if len(found) == 1 and not unclear:
            yield Hit(item, f"{item.logical_id} stands in {next(iter(found))} alone.", ("SubnetIds",))
