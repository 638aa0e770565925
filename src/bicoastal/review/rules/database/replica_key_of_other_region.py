"""A KMS key works in its own region only: a replica in another region needs one of there."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bicoastal.cfn.values import Unknown
from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.rule import CannotTell, Hit, Rule, Seen

RULE = Rule(
    "replica-key-of-other-region",
    Severity.ERROR,
    "A database is encrypted with a key of another region",
    "It cannot be created; and if it could, its data would be unreadable without that region.",
    "Name a KMS key of the database's own region.",
    ("AWS::RDS::DBInstance", "AWS::RDS::DBCluster"),
    "https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Overview.Encryption.html",
)
_REGION = re.compile(r"arn:aws[\w-]*:kms:([a-z0-9-]+):")


def look(case: Case) -> Iterator[Seen]:
    """Where the key stands: by the resource, or by its ARN."""
    for item in case.deployment.of_type(*RULE.types):
        value = item.get("KmsKeyId")
        if value is None:
            continue
        key = case.deployment.resource(value)
        spelled = _REGION.match(case.deployment.spelled(value))
        region = key.region if key is not None else spelled[1] if spelled else ""
        if not region:
            if isinstance(value, Unknown) and item.get("SourceDBInstanceIdentifier") is not None:
                yield CannotTell(item, f"Of which region its key is: {value.reason}.", ("KmsKeyId",))
        elif region != item.region:
            yield Hit(item, f"{item.logical_id} of {item.region} has a key of {region}.", ("KmsKeyId",))
