"""A replica has its source's users and databases, and RDS refuses to be given others."""

from __future__ import annotations

from tests.support.findings import said
from tests.support.pieces import DATABASE

RULE = "replica-carries-own-login"


def test_a_user() -> None:
    (text,) = said(
        RULE,
        DATABASE.replace("MORE", "BackupRetentionPeriod: 1")
        + """Copy:
  Type: AWS::RDS::DBInstance
  Properties: {SourceDBInstanceIdentifier: !GetAtt Database.DBInstanceArn, MasterUsername: admin}
""",
    )
    assert text.startswith("error: Copy copies another database and has MasterUsername.")


def test_none() -> None:
    assert (
        said(
            RULE,
            DATABASE.replace("MORE", "BackupRetentionPeriod: 1")
            + """Copy:
  Type: AWS::RDS::DBInstance
  Properties: {SourceDBInstanceIdentifier: !GetAtt Database.DBInstanceArn}
""",
        )
        == []
    )


def test_no_source() -> None:
    assert said(RULE, DATABASE.replace("MORE", "MasterUsername: admin")) == []
