"""A replica without backups is a primary without backups, from the minute it is needed."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.rule import Hit, Rule, Seen
from bicoastal.review.verdict import number

RULE = Rule(
    "replica-cannot-be-promoted-safely",
    Severity.WARNING,
    "A read replica in another region keeps no automated backups",
    "Once promoted it has no point in time to go back to, and nothing can replicate from it until that is changed.",
    "Set BackupRetentionPeriod on the replica; it cannot be changed by the update that promotes it.",
    ("AWS::RDS::DBInstance",),
    "https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_ReadRepl.html",
)


def look(case: Case) -> Iterator[Seen]:
    """Replicas whose source is in another region: those are what a failover promotes."""
    for item in case.deployment.of_type("AWS::RDS::DBInstance"):
        source = case.source(item)
        kept = item.get("BackupRetentionPeriod", default=0)
        if source is not None and source.region != item.region and number(kept) == 0:
            text = f"{item.logical_id} of {item.region} keeps automated backups for 0 days."
            yield Hit(item, text, ("BackupRetentionPeriod",) if item.get("BackupRetentionPeriod") is not None else ())
