"""Storage is encrypted when it is created, or never."""

from __future__ import annotations

from tests.support.findings import said
from tests.support.pieces import DATABASE

RULE = "database-not-encrypted"


def test_in_clear() -> None:
    (text,) = said(
        RULE, DATABASE.replace("StorageEncrypted: true", "StorageEncrypted: false").replace("MORE", "Port: 1")
    )
    assert text.startswith("warning: Database is not encrypted.")


def test_a_copy_has_what_its_source_has() -> None:
    assert (
        said(
            RULE,
            """Copy:
  Type: AWS::RDS::DBInstance
  Properties: {SourceDBInstanceIdentifier: !GetAtt Database.DBInstanceArn}
""",
        )
        == []
    )


def test_unknown() -> None:
    assert (
        said(
            RULE, DATABASE.replace("StorageEncrypted: true", "StorageEncrypted: !Ref Secret").replace("MORE", "Port: 1")
        )
        == []
    )
