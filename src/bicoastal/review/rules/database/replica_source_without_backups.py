"""RDS replicates only from an instance that keeps automated backups."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.rule import Hit, Rule, Seen
from bicoastal.review.verdict import number

RULE = Rule(
    "replica-source-without-backups",
    Severity.ERROR,
    "The source of a read replica keeps no automated backups",
    "The replica cannot be created, and there is no point in time to go back to.",
    "Set BackupRetentionPeriod to 1 or more on the source, and on the replica that is to be promoted.",
    ("AWS::RDS::DBInstance",),
    "https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_ReadRepl.html",
)


def look(case: Case) -> Iterator[Seen]:
    """Sources that are here, and what stands in their template."""
    for replica in case.deployment.of_type("AWS::RDS::DBInstance"):
        source = case.source(replica)
        kept = number(source.get("BackupRetentionPeriod", default=1)) if source is not None else None
        if source is not None and kept == 0:
            text = f"{replica.logical_id} of {replica.region} copies {source.logical_id}, which keeps backups 0 days."
            yield Hit(source, text, ("BackupRetentionPeriod",))
