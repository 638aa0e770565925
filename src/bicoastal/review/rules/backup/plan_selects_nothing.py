"""A plan without a selection backs up nothing."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.cfn.deployment import Resource
from bicoastal.cfn.values import Unknown, references
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
    selections = case.deployment.of_type("AWS::Backup::BackupSelection")
    vague = {one.stack.id for one in selections if isinstance(one.get("BackupPlanId"), Unknown)}
    for plan in case.deployment.of_type("AWS::Backup::BackupPlan"):
        chosen = case.deployment.referring(plan, "AWS::Backup::BackupSelection")
        unclear = plan.stack.id in vague
        if chosen or unclear or _given(plan) or _ready(case, plan):
            continue
        yield Hit(plan, f"Nothing is assigned to {plan.logical_id}.")


def _given(plan: Resource) -> bool:
    """Whether an output gives it to another stack."""
    outputs = (plan.stack.output(name) for name in plan.stack.evaluator.outputs)
    return any(plan.reference == one for value in outputs for _, one in references(value))


def _ready(case: Case, plan: Resource) -> bool:
    """A plan that stands ready in the standby: the same lines have a selection in the other region."""
    return any(
        case.deployment.referring(other, "AWS::Backup::BackupSelection")
        for other in case.deployment.of_type("AWS::Backup::BackupPlan")
        if other.logical_id == plan.logical_id and other.stack.template.file == plan.stack.template.file
    )
