"""Storage is encrypted when it is created, or never."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.cfn.values import Unknown
from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.rule import Hit, Rule, Seen
from bicoastal.review.verdict import yes

RULE = Rule(
    "database-not-encrypted",
    Severity.WARNING,
    "A database's storage is not encrypted",
    "Snapshots and copies are readable by whoever gets hold of them, and it cannot be switched on later.",
    "Set StorageEncrypted to true, with a KMS key of your own if copies go to another region.",
    ("AWS::RDS::DBInstance", "AWS::RDS::DBCluster"),
    "https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Overview.Encryption.html",
)


def look(case: Case) -> Iterator[Seen]:
    """Instances and clusters with storage of their own: replicas and members have their source's."""
    for item in case.deployment.of_type(*RULE.types):
        born_of = ("SourceDBInstanceIdentifier", "DBClusterIdentifier", "DBSnapshotIdentifier", "SnapshotIdentifier")
        inherits = any(
            item.get(name) is not None for name in (*born_of, "SourceDBClusterIdentifier", "GlobalClusterIdentifier")
        )
        value = item.get("StorageEncrypted", default=False)
        if not inherits and not isinstance(value, Unknown) and not yes(value):
            yield Hit(
                item,
                f"{item.logical_id} is not encrypted.",
                ("StorageEncrypted",) if "StorageEncrypted" in item.properties else (),
            )
