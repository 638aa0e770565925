"""A database is deleted by one call, in a hurry, in the wrong window."""

from __future__ import annotations

from tests.support.findings import said
from tests.support.pieces import DATABASE

RULE = "deletion-not-protected"


def test_not() -> None:
    (text,) = said(
        RULE, DATABASE.replace("DeletionProtection: true", "DeletionProtection: false").replace("MORE", "Port: 1")
    )
    assert text.startswith("warning: Database is not protected.")


def test_protected() -> None:
    assert said(RULE, DATABASE.replace("MORE", "Port: 5432")) == []


def test_unknown() -> None:
    assert (
        said(
            RULE,
            DATABASE.replace("DeletionProtection: true", "DeletionProtection: !Ref Safe").replace("MORE", "Port: 1"),
        )
        == []
    )
