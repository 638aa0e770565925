"""A plan without a selection backs up nothing."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.cfn.deployment import Resource
from bicoastal.cfn.values import Unknown
from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.rule import Hit, Rule, Seen

RULE = Rule(
    "plan-selects-nothing",
    Severity.ERROR,
    "A backup plan has no selection",
    "It runs, and there is nothing to run over: no backup is ever made.",
    "Add a BackupSelection with this BackupPlanId.",
    ("AWS::Backup::BackupPlan",),
    "https://docs.aws.amazon.com/aws-backup/latest/devguide/assigning-resources.html",
)


def look(case: Case) -> Iterator[Seen]:
    """Plans that nothing here refers to, and that no output gives to another stack."""
    for plan in case.deployment.of_type("AWS::Backup::BackupPlan"):
        chosen = case.deployment.referring(plan, "AWS::Backup::BackupSelection")
        same_stack = [one for one in plan.stack.resources.values() if one.type == "AWS::Backup::BackupSelection"]
        unclear = any(isinstance(one.get("BackupPlanId"), Unknown) for one in same_stack)
        given = any(case.deployment.leads_to(plan.stack.output(name), plan) for name in plan.stack.evaluator.outputs)
        elsewhere = any(_same_written(plan, other) for other in case.deployment.of_type("AWS::Backup::BackupPlan"))
        if not chosen and not given and not unclear and not (elsewhere and _chosen_elsewhere(case, plan)):
            yield Hit(plan, f"Nothing is assigned to {plan.logical_id}.")


def _same_written(plan: Resource, other: Resource) -> bool:
    """Whether it is the same lines, deployed in another region."""
    return (
        other is not plan
        and other.logical_id == plan.logical_id
        and other.stack.template.file == plan.stack.template.file
    )


def _chosen_elsewhere(case: Case, plan: Resource) -> bool:
    """A plan that stands ready in the standby, for the day when the primary is there."""
    others = [one for one in case.deployment.of_type("AWS::Backup::BackupPlan") if _same_written(plan, one)]
    return any(case.deployment.referring(one, "AWS::Backup::BackupSelection") for one in others)
