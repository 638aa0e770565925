"""Backups in the region that is lost are lost with it."""

from __future__ import annotations

from tests.support.findings import said
from tests.support.pieces import PLAN

RULE = "backup-copied-nowhere"


def test_no_copy() -> None:
    (text,) = said(
        RULE,
        PLAN.replace("RULE", "ScheduleExpression: cron(0 23 ? * MON-FRI *)").replace("SELECTION", 'Resources: ["*"]'),
    )
    assert text.startswith("warning: Plan copies nothing out of us-east-1.")


def test_a_copy_elsewhere() -> None:
    assert (
        said(
            RULE,
            PLAN.replace(
                "RULE",
                'CopyActions: [{DestinationBackupVaultArn: "arn:aws:backup:us-west-2:123456789012:backup-vault:a"}]',
            ).replace("SELECTION", 'Resources: ["*"]'),
        )
        == []
    )


def test_a_copy_to_what_is_not_known() -> None:
    assert (
        said(
            RULE,
            PLAN.replace("RULE", "CopyActions: [{DestinationBackupVaultArn: !Ref Vault2}]").replace(
                "SELECTION", 'Resources: ["*"]'
            ),
        )
        == []
    )
