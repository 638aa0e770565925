"""RDS for PostgreSQL does not manage the password of an instance that has read replicas."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.rule import Hit, Rule, Seen
from bicoastal.review.verdict import yes

RULE = Rule(
    "managed-password-with-replica",
    Severity.ERROR,
    "RDS is asked to manage the password of a PostgreSQL source of read replicas",
    "RDS refuses the one or the other: the replica cannot be created.",
    "Generate a secret of your own, with a replica in the other region, and refer to it in MasterUserPassword.",
    ("AWS::RDS::DBInstance",),
    "https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-secrets-manager.html",
)


def look(case: Case) -> Iterator[Seen]:
    """Sources that are here."""
    for replica in case.deployment.of_type("AWS::RDS::DBInstance"):
        source = case.source(replica)
        if source is None or not yes(source.get("ManageMasterUserPassword")):
            continue
        if str(source.get("Engine")).startswith("postgres"):
            text = f"{source.logical_id} has {replica.logical_id} of {replica.region} as a replica."
            yield Hit(source, text, ("ManageMasterUserPassword",))
