"""A database in one Availability Zone is down for as long as that zone is, or as a restore takes."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.cfn.values import Unknown
from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.rule import CannotTell, Hit, Rule, Seen
from bicoastal.review.verdict import yes

RULE = Rule(
    "database-in-one-zone",
    Severity.WARNING,
    "A database stands in one Availability Zone",
    "When the zone fails there is no standby: a restore takes an hour, and what came after the last backup is lost.",
    "Set MultiAZ to true; on a replica too, so that it is whole once it is promoted.",
    ("AWS::RDS::DBInstance",),
    "https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Concepts.MultiAZSingleStandby.html",
)


def look(case: Case) -> Iterator[Seen]:
    """Instances that belong to no cluster; readers of their own region are a second copy already."""
    for item in case.deployment.of_type("AWS::RDS::DBInstance"):
        value = item.get("MultiAZ", default=False)
        if item.get("DBClusterIdentifier") is not None or case.is_reader(item):
            continue
        if isinstance(value, Unknown):
            yield CannotTell(item, f"Whether {item.logical_id} is Multi-AZ: {value.reason}.", ("MultiAZ",))
        elif not yes(value):
            yield Hit(
                item, f"{item.logical_id} is not Multi-AZ.", ("MultiAZ",) if item.get("MultiAZ") is not None else ()
            )
