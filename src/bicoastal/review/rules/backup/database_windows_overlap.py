"""RDS backs up and maintains a database at different times, or not at all."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.model.windows import overlap, window
from bicoastal.review.rule import Hit, Rule, Seen

RULE = Rule(
    "database-windows-overlap",
    Severity.ERROR,
    "A database's backup window overlaps its maintenance window",
    "RDS refuses the instance: the stack fails, in the second region perhaps only on the day of the failover.",
    "Move one of the windows; both are in UTC.",
    ("AWS::RDS::DBInstance", "AWS::RDS::DBCluster"),
    "https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_WorkingWithAutomatedBackups.BackupWindow.html",
)


def look(case: Case) -> Iterator[Seen]:
    """Both windows, where both are said."""
    for item in case.deployment.of_type(*RULE.types):
        backup = window(item.get("PreferredBackupWindow"))
        maintenance = window(item.get("PreferredMaintenanceWindow"))
        if backup is not None and maintenance is not None and overlap(backup, maintenance):
            text = (
                f"{item.logical_id}: {item.get('PreferredBackupWindow')} and {item.get('PreferredMaintenanceWindow')}."
            )
            yield Hit(item, text, ("PreferredBackupWindow",))
