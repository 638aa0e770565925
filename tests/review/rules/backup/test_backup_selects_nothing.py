"""A backup plan runs happily every night over nothing."""

from __future__ import annotations

from tests.support.findings import said
from tests.support.pieces import DATABASE, PLAN

RULE = "backup-selects-nothing"


def test_a_tag_that_nothing_bears() -> None:
    (text,) = said(
        RULE,
        PLAN.replace("RULE", "ScheduleExpression: cron(0 23 ? * MON-FRI *)").replace(
            "SELECTION", 'ListOfTags: [{ConditionType: STRINGEQUALS, ConditionKey: Backup, ConditionValue: "yes"}]'
        )
        + DATABASE.replace("MORE", 'Tags: [{Key: backup, Value: "yes"}]'),
    )
    assert text.startswith("error: Selection takes nothing of us-east-1, where there is Database.")


def test_a_tag_that_the_stack_may_give() -> None:
    (text,) = said(
        RULE,
        PLAN.replace("RULE", "ScheduleExpression: cron(0 23 ? * MON-FRI *)").replace(
            "SELECTION", 'ListOfTags: [{ConditionType: STRINGEQUALS, ConditionKey: Backup, ConditionValue: "yes"}]'
        )
        + DATABASE.replace("MORE", "Port: 5432"),
    )
    assert text.startswith("info: What it selects depends on values, or on stack tags, that are not written here.")


def test_everything() -> None:
    assert (
        said(
            RULE,
            PLAN.replace("RULE", "ScheduleExpression: cron(0 23 ? * MON-FRI *)").replace(
                "SELECTION", 'Resources: ["*"]'
            )
            + DATABASE.replace("MORE", "Port: 5432"),
        )
        == []
    )


def test_nothing_to_back_up_here() -> None:
    assert (
        said(
            RULE,
            PLAN.replace("RULE", "ScheduleExpression: cron(0 23 ? * MON-FRI *)").replace(
                "SELECTION", 'Resources: ["arn:aws:rds:us-east-1:123456789012:db:theirs"]'
            ),
        )
        == []
    )
