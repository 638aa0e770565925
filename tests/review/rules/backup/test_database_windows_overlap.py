"""RDS backs up and maintains a database at different times, or not at all."""

from __future__ import annotations

from tests.support.findings import said
from tests.support.pieces import DATABASE

RULE = "database-windows-overlap"


def test_at_the_same_time() -> None:
    (text,) = said(
        RULE,
        DATABASE.replace(
            "MORE", 'PreferredBackupWindow: "23:45-00:15", PreferredMaintenanceWindow: "mon:00:00-mon:00:30"'
        ),
    )
    assert text.startswith("error: Database: 23:45-00:15 and mon:00:00-mon:00:30.")


def test_one_after_the_other() -> None:
    assert (
        said(
            RULE,
            DATABASE.replace(
                "MORE", 'PreferredBackupWindow: "03:00-03:30", PreferredMaintenanceWindow: "mon:03:30-mon:04:00"'
            ),
        )
        == []
    )


def test_one_of_them_chosen_by_aws() -> None:
    assert said(RULE, DATABASE.replace("MORE", 'PreferredBackupWindow: "03:00-03:30"')) == []
