"""A database is deleted by one call, in a hurry, in the wrong window."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.cfn.values import Unknown
from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.rule import Hit, Rule, Seen
from bicoastal.review.verdict import yes

RULE = Rule(
    "deletion-not-protected",
    Severity.WARNING,
    "A database can be deleted without being unprotected first",
    "In an incident people delete things: the last copy should not be one of them.",
    "Set DeletionProtection to true.",
    ("AWS::RDS::DBInstance", "AWS::RDS::DBCluster"),
    "https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_DeleteInstance.html",
)


def look(case: Case) -> Iterator[Seen]:
    """Instances that belong to no cluster, and clusters; readers of their own region hold nothing alone."""
    for item in case.deployment.of_type(*RULE.types):
        if item.get("DBClusterIdentifier") is not None or case.is_reader(item):
            continue
        value = item.get("DeletionProtection", default=False)
        if not isinstance(value, Unknown) and not yes(value):
            yield Hit(
                item,
                f"{item.logical_id} is not protected.",
                ("DeletionProtection",) if "DeletionProtection" in item.properties else (),
            )
