"""RDS replicates only from an instance that keeps automated backups."""

from __future__ import annotations

from tests.support.findings import said
from tests.support.pieces import DATABASE

RULE = "replica-source-without-backups"


def test_none_kept() -> None:
    (text,) = said(
        RULE,
        DATABASE.replace("MORE", "BackupRetentionPeriod: 0")
        + """Copy:
  Type: AWS::RDS::DBInstance
  Properties: {SourceDBInstanceIdentifier: !GetAtt Database.DBInstanceArn}
""",
    )
    assert text.startswith("error: Copy of us-east-1 copies Database, which keeps backups 0 days.")


def test_a_day_by_default() -> None:
    assert (
        said(
            RULE,
            DATABASE.replace("MORE", "Port: 1")
            + """Copy:
  Type: AWS::RDS::DBInstance
  Properties: {SourceDBInstanceIdentifier: !GetAtt Database.DBInstanceArn}
""",
        )
        == []
    )


def test_no_replica() -> None:
    assert said(RULE, DATABASE.replace("MORE", "BackupRetentionPeriod: 0")) == []
