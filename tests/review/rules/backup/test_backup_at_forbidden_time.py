"""A database cannot be backed up on demand shortly before or during its own windows."""

from __future__ import annotations

from tests.support.findings import said
from tests.support.pieces import DATABASE, PLAN

RULE = "backup-at-forbidden-time"


def test_in_the_hour_before() -> None:
    (text,) = said(
        RULE,
        PLAN.replace("RULE", "ScheduleExpression: cron(15 2 ? * MON-FRI *)").replace(
            "SELECTION", "Resources: [!GetAtt Database.DBInstanceArn]"
        )
        + DATABASE.replace("MORE", 'PreferredBackupWindow: "03:00-03:30"'),
    )
    assert text.startswith(
        "error: Plan starts at Mon 02:15 UTC, and Database has its PreferredBackupWindow at 03:00-03:30."
    )


def test_in_time() -> None:
    assert (
        said(
            RULE,
            PLAN.replace("RULE", "ScheduleExpression: cron(0 2 ? * MON-FRI *)").replace(
                "SELECTION", "Resources: [!GetAtt Database.DBInstanceArn]"
            )
            + DATABASE.replace("MORE", 'PreferredBackupWindow: "03:00-03:30"'),
        )
        == []
    )


def test_a_database_that_it_does_not_select() -> None:
    assert (
        said(
            RULE,
            PLAN.replace("RULE", "ScheduleExpression: cron(15 2 ? * MON-FRI *)").replace(
                "SELECTION", 'Resources: ["arn:aws:dynamodb:*:*:*"]'
            )
            + DATABASE.replace("MORE", 'PreferredBackupWindow: "03:00-03:30"'),
        )
        == []
    )
