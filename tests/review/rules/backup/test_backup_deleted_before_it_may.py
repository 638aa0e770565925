"""What is moved to cold storage stays there for 90 days."""

from __future__ import annotations

from tests.support.findings import said
from tests.support.pieces import PLAN

RULE = "backup-deleted-before-it-may"


def test_too_early() -> None:
    (text,) = said(
        RULE,
        PLAN.replace("RULE", "Lifecycle: {MoveToColdStorageAfterDays: 10, DeleteAfterDays: 99}").replace(
            "SELECTION", 'Resources: ["*"]'
        ),
    )
    assert text.startswith("error: Plan moves backups after 10 days and deletes them after 99.")


def test_90_days_later() -> None:
    assert (
        said(
            RULE,
            PLAN.replace("RULE", "Lifecycle: {MoveToColdStorageAfterDays: 10, DeleteAfterDays: 100}").replace(
                "SELECTION", 'Resources: ["*"]'
            ),
        )
        == []
    )


def test_never_cold() -> None:
    assert (
        said(RULE, PLAN.replace("RULE", "Lifecycle: {DeleteAfterDays: 7}").replace("SELECTION", 'Resources: ["*"]'))
        == []
    )
