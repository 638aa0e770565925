"""A public address on a database is reached by whoever its groups do not stop."""

from __future__ import annotations

from tests.support.findings import said
from tests.support.pieces import DATABASE

RULE = "database-publicly-accessible"


def test_said() -> None:
    (text,) = said(RULE, DATABASE.replace("MORE", 'PubliclyAccessible: "true"'))
    assert text.startswith("error: Database is publicly accessible.")


def test_not_said() -> None:
    assert said(RULE, DATABASE.replace("MORE", "Port: 5432")) == []


def test_unknown() -> None:
    assert said(RULE, DATABASE.replace("MORE", "PubliclyAccessible: !Ref Public")) == []
