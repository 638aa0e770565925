"""RDS for PostgreSQL does not manage the password of an instance that has read replicas."""

from __future__ import annotations

from tests.support.findings import said
from tests.support.pieces import DATABASE

RULE = "managed-password-with-replica"


def test_both() -> None:
    (text,) = said(
        RULE,
        DATABASE.replace("MORE", "ManageMasterUserPassword: true")
        + """Copy:
  Type: AWS::RDS::DBInstance
  Properties: {SourceDBInstanceIdentifier: !GetAtt Database.DBInstanceArn}
""",
    )
    assert text.startswith("error: Database has Copy of us-east-1 as a replica.")


def test_no_replica() -> None:
    assert said(RULE, DATABASE.replace("MORE", "ManageMasterUserPassword: true")) == []


def test_mysql_can() -> None:
    assert (
        said(
            RULE,
            DATABASE.replace("MORE", "ManageMasterUserPassword: true").replace("postgres", "mysql")
            + """Copy:
  Type: AWS::RDS::DBInstance
  Properties: {SourceDBInstanceIdentifier: !GetAtt Database.DBInstanceArn}
""",
        )
        == []
    )
