"""A replica that is gone keeps its replication slot, and the slot keeps every change since."""

from __future__ import annotations

from tests.support.findings import said
from tests.support.pieces import DATABASE

RULE = "wal-can-fill-primary"


def test_without_a_limit() -> None:
    (text,) = said(
        RULE,
        DATABASE.replace("MORE", "DBInstanceIdentifier: shop"),
        """Copy:
  Type: AWS::RDS::DBInstance
  Properties: {SourceDBInstanceIdentifier: !Sub "arn:aws:rds:us-east-1:${AWS::AccountId}:db:shop"}
""",
        regions=("us-east-1", "us-west-2"),
    )
    assert text.startswith("warning: Database keeps changes for Copy of us-west-2 without a limit.")


def test_a_group_of_somebody_else() -> None:
    assert (
        said(
            RULE,
            DATABASE.replace("MORE", "DBInstanceIdentifier: shop, DBParameterGroupName: theirs"),
            """Copy:
  Type: AWS::RDS::DBInstance
  Properties: {SourceDBInstanceIdentifier: !Sub "arn:aws:rds:us-east-1:${AWS::AccountId}:db:shop"}
""",
            regions=("us-east-1", "us-west-2"),
        )
        == []
    )
