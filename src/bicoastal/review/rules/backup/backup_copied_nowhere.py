"""Backups in the region that is lost are lost with it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bicoastal.cfn.values import Unknown, Value
from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.rule import Hit, Rule, Seen

RULE = Rule(
    "backup-copied-nowhere",
    Severity.WARNING,
    "Backups are kept in their own region only",
    "When the region is lost, or somebody deletes the vault, there is nothing to restore from.",
    "Add a CopyAction to a vault in another region.",
    ("AWS::Backup::BackupPlan",),
    "https://docs.aws.amazon.com/aws-backup/latest/devguide/cross-region-backup.html",
)
_RULES = ("BackupPlan", "BackupPlanRule")


def look(case: Case) -> Iterator[Seen]:
    """Plans none of whose rules copies to another region; copies to what is not known count."""
    for plan in case.deployment.of_type("AWS::Backup::BackupPlan"):
        rules = plan.items(*_RULES)
        if not rules or not case.deployment.referring(plan, "AWS::Backup::BackupSelection"):
            continue
        ends = [
            _region(case, plan.get(*_RULES, index, "CopyActions", copy, "DestinationBackupVaultArn"))
            for index, _ in enumerate(rules)
            for copy, _ in enumerate(plan.items(*_RULES, index, "CopyActions"))
        ]
        unclear = any(isinstance(plan.get(*_RULES, index, "CopyActions"), Unknown) for index, _ in enumerate(rules))
        if all(end == plan.region for end in ends) and not unclear:
            yield Hit(plan, f"{plan.logical_id} copies nothing out of {plan.region}.", _RULES)


def _region(case: Case, vault: Value) -> str:
    """The region of a vault; empty where it is not known."""
    target = case.deployment.resource(vault)
    match = re.match(r"arn:aws[\w-]*:backup:([a-z0-9-]+):", case.deployment.spelled(vault))
    return target.region if target is not None else match[1] if match else ""
