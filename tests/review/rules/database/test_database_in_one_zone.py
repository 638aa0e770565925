"""A database in one Availability Zone is down for as long as that zone is, or as a restore takes."""

from __future__ import annotations

from tests.support.findings import said
from tests.support.pieces import DATABASE

RULE = "database-in-one-zone"


def test_one_zone() -> None:
    (text,) = said(RULE, DATABASE.replace("MultiAZ: true", "MultiAZ: false").replace("MORE", "Port: 1"))
    assert text.startswith("warning: Database is not Multi-AZ.")


def test_two() -> None:
    assert said(RULE, DATABASE.replace("MORE", "Port: 5432")) == []


def test_unknown() -> None:
    (text,) = said(RULE, DATABASE.replace("MultiAZ: true", "MultiAZ: !Ref Two").replace("MORE", "Port: 1"))
    assert text.startswith("info: Whether Database is Multi-AZ: nothing here is called Two.")


def test_a_member_of_a_cluster() -> None:
    assert said(RULE, DATABASE.replace("MultiAZ: true", "DBClusterIdentifier: a").replace("MORE", "Port: 1")) == []
