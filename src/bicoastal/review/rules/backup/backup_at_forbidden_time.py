"""A database cannot be backed up on demand shortly before or during its own windows."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.core.findings import Severity
from bicoastal.review.case import DATABASE, Case
from bicoastal.review.model.selections import selects
from bicoastal.review.model.windows import clock, overlap, starts, window
from bicoastal.review.rule import Hit, Rule, Seen

RULE = Rule(
    "backup-at-forbidden-time",
    Severity.ERROR,
    "A backup plan starts when the database takes no backup",
    "The job fails or waits, night after night: the copy that you count on is not there.",
    "Start the plan at least an hour before RDS's backup and maintenance windows (in UTC, at both ends of summer "
    "time).",
    ("AWS::Backup::BackupPlan",),
    "https://docs.aws.amazon.com/aws-backup/latest/devguide/troubleshooting.html",
)
_RULES = ("BackupPlan", "BackupPlanRule")


def look(case: Case) -> Iterator[Seen]:
    """Schedules of plans against the windows of the databases that they select."""
    for selection in case.deployment.of_type("AWS::Backup::BackupSelection"):
        plan = case.deployment.resource(selection.get("BackupPlanId"))
        for database in case.deployment.of_type(DATABASE, region=selection.region):
            if plan is None or selects(case.deployment, selection, database) is not True:
                continue
            for index, _ in enumerate(plan.items(*_RULES)):
                path = (*_RULES, index, "ScheduleExpression")
                zone = plan.get(*_RULES, index, "ScheduleExpressionTimezone", default="Etc/UTC")
                for start in starts(plan.get(*path), zone):
                    for name in ("PreferredBackupWindow", "PreferredMaintenanceWindow"):
                        taken = window(database.get(name))
                        if taken is not None and overlap((start, start + 60), taken):
                            text = f"{plan.logical_id} starts at {clock(start)} UTC, and {database.logical_id} has its"
                            yield Hit(plan, f"{text} {name} at {database.get(name)}.", path)
                            break
                    else:
                        continue
                    break
