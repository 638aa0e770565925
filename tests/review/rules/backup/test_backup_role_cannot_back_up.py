"""AWS Backup works with the role that a selection names, and with nothing else."""

from __future__ import annotations

from tests.support.findings import said
from tests.support.pieces import PLAN, ROLE

RULE = "backup-role-cannot-back-up"


def test_a_role_of_somebody_else() -> None:
    assert (
        said(
            RULE,
            PLAN.replace("RULE", "ScheduleExpression: cron(0 23 ? * MON-FRI *)").replace(
                "SELECTION", 'Resources: ["*"]'
            ),
        )
        == []
    )


def test_a_role_for_instances() -> None:
    (text,) = said(
        RULE,
        PLAN.replace("RULE", "ScheduleExpression: cron(0 23 ? * MON-FRI *)")
        .replace("SELECTION", 'Resources: ["*"]')
        .replace('"arn:aws:iam::123456789012:role/backup"', "!GetAtt Role.Arn")
        + ROLE.replace("STATEMENT", "{Effect: Allow, Action: s3:GetObject, Resource: '*'}"),
    )
    assert text.startswith("error: AWS Backup may not take Role.")
