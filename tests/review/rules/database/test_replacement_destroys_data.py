"""What holds data and may be replaced or deleted with its stack is one wrong update away from being gone."""

from __future__ import annotations

from tests.support.findings import said
from tests.support.pieces import DATABASE

RULE = "replacement-destroys-data"


def test_nothing_said_of_replacement() -> None:
    (text,) = said(RULE, DATABASE.replace("MORE", "Port: 5432").replace("  UpdateReplacePolicy: Snapshot\n", ""))
    assert text.startswith("warning: UpdateReplacePolicy of Database is not set: by default, Delete.")


def test_a_table() -> None:
    (text,) = said(RULE, "Table: {Type: AWS::DynamoDB::Table}")
    assert text.startswith("warning: DeletionPolicy and UpdateReplacePolicy of Table are not set: by default, Delete.")


def test_kept() -> None:
    assert said(RULE, DATABASE.replace("MORE", "Port: 5432")) == []
