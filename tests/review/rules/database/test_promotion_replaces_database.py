"""Promotion by a stack update must change nothing but the source: anything create-only makes a new, empty database."""

from __future__ import annotations

from tests.support.findings import said

RULE = "promotion-replaces-database"


def test_the_role_decides_more() -> None:
    (text,) = said(
        RULE,
        """
Database:
  Type: AWS::RDS::DBInstance
  Properties:
    SourceDBInstanceIdentifier: !If [Copies, "arn:aws:rds:us-east-1:123456789012:db:shop", !Ref AWS::NoValue]
    MultiAZ: !If [Copies, false, true]
""",
        head="""
Parameters: {Role: {Type: String, Default: copy, AllowedValues: [copy, first]}}
Conditions: {Copies: !Equals [!Ref Role, copy]}
""",
    )
    assert text.startswith("error: Role=first takes the source of Database away and also changes MultiAZ.")


def test_the_role_decides_the_source_alone() -> None:
    assert (
        said(
            RULE,
            """
Database:
  Type: AWS::RDS::DBInstance
  Properties:
    SourceDBInstanceIdentifier: !If [Copies, "arn:aws:rds:us-east-1:123456789012:db:shop", !Ref AWS::NoValue]
    MultiAZ: true
""",
            head="""
Parameters: {Role: {Type: String, Default: copy, AllowedValues: [copy, first]}}
Conditions: {Copies: !Equals [!Ref Role, copy]}
""",
        )
        == []
    )
