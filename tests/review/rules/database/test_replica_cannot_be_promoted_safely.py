"""A replica without backups is a primary without backups, from the minute it is needed."""

from __future__ import annotations

from tests.support.findings import said
from tests.support.pieces import DATABASE

RULE = "replica-cannot-be-promoted-safely"


def test_no_backups_by_default() -> None:
    (text,) = said(
        RULE,
        DATABASE.replace("MORE", "DBInstanceIdentifier: shop"),
        """Copy:
  Type: AWS::RDS::DBInstance
  Properties: {SourceDBInstanceIdentifier: !Sub "arn:aws:rds:us-east-1:${AWS::AccountId}:db:shop"}
""",
        regions=("us-east-1", "us-west-2"),
    )
    assert text.startswith("warning: Copy of us-west-2 keeps automated backups for 0 days.")


def test_a_day() -> None:
    assert (
        said(
            RULE,
            DATABASE.replace("MORE", "DBInstanceIdentifier: shop"),
            """Copy:
  Type: AWS::RDS::DBInstance
  Properties: {SourceDBInstanceIdentifier: !Sub "arn:aws:rds:us-east-1:${AWS::AccountId}:db:shop",
      BackupRetentionPeriod: 1}
""",
            regions=("us-east-1", "us-west-2"),
        )
        == []
    )


def test_a_reader_of_its_own_region_is_not_promoted() -> None:
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
