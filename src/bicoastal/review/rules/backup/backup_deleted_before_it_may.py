"""What is moved to cold storage stays there for 90 days."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.rule import Hit, Rule, Seen
from bicoastal.review.verdict import number

RULE = Rule(
    "backup-deleted-before-it-may",
    Severity.ERROR,
    "A backup is to be deleted less than 90 days after it moves to cold storage",
    "AWS Backup refuses the plan, and there are no backups.",
    "Let DeleteAfterDays be at least MoveToColdStorageAfterDays plus 90, or keep the backups warm.",
    ("AWS::Backup::BackupPlan",),
    "https://docs.aws.amazon.com/aws-backup/latest/devguide/API_Lifecycle.html",
)
_RULES = ("BackupPlan", "BackupPlanRule")


def look(case: Case) -> Iterator[Seen]:
    """The lifecycle of each rule, and of each of its copies."""
    for plan in case.deployment.of_type("AWS::Backup::BackupPlan"):
        for index, _ in enumerate(plan.items(*_RULES)):
            here = (*_RULES, index)
            copies = [(*here, "CopyActions", copy) for copy, _ in enumerate(plan.items(*here, "CopyActions"))]
            for path in (here, *copies):
                cold = number(plan.get(*path, "Lifecycle", "MoveToColdStorageAfterDays"))
                gone = number(plan.get(*path, "Lifecycle", "DeleteAfterDays"))
                if cold is not None and gone is not None and 0 < gone < cold + 90:
                    text = f"{plan.logical_id} moves backups after {cold:.0f} days and deletes them after {gone:.0f}."
                    yield Hit(plan, text, (*path, "Lifecycle"))
