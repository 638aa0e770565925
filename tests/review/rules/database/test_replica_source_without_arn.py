"""An identifier is looked for in the replica's own region; only an ARN says another one."""

from __future__ import annotations

from tests.support.findings import said
from tests.support.pieces import DATABASE

RULE = "replica-source-without-arn"


def test_found_over_there() -> None:
    (text,) = said(
        RULE,
        DATABASE.replace("MORE", "DBInstanceIdentifier: shop"),
        """Copy: {Type: AWS::RDS::DBInstance, Properties: {SourceDBInstanceIdentifier: shop}}""",
        regions=("us-east-1", "us-west-2"),
    )
    assert text.startswith("error: Copy of us-west-2 copies shop, which stands in us-east-1.")


def test_its_arn() -> None:
    assert (
        said(
            RULE,
            DATABASE.replace("MORE", "DBInstanceIdentifier: shop"),
            """Copy:
  Type: AWS::RDS::DBInstance
  Properties: {SourceDBInstanceIdentifier: !Sub "arn:aws:rds:us-east-1:${AWS::AccountId}:db:shop"}
""",
            regions=("us-east-1", "us-west-2"),
        )
        == []
    )
