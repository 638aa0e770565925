"""A plan without a selection backs up nothing."""

from __future__ import annotations

from tests.support.findings import said
from tests.support.pieces import PLAN

RULE = "plan-selects-nothing"


def test_no_selection() -> None:
    (text,) = said(
        RULE,
        PLAN.replace("RULE", "ScheduleExpression: cron(0 23 ? * MON-FRI *)")
        .replace("SELECTION", 'Resources: ["*"]')
        .replace("BackupPlanId: !Ref Plan", "BackupPlanId: theirs"),
    )
    assert text.startswith("error: Nothing is assigned to Plan.")


def test_a_selection() -> None:
    assert (
        said(
            RULE,
            PLAN.replace("RULE", "ScheduleExpression: cron(0 23 ? * MON-FRI *)").replace(
                "SELECTION", 'Resources: ["*"]'
            ),
        )
        == []
    )


def test_a_selection_of_a_plan_that_is_not_known() -> None:
    assert (
        said(
            RULE,
            PLAN.replace("RULE", "ScheduleExpression: cron(0 23 ? * MON-FRI *)")
            .replace("SELECTION", 'Resources: ["*"]')
            .replace("BackupPlanId: !Ref Plan", "BackupPlanId: !Ref Some"),
        )
        == []
    )
