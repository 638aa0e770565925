"""A backup plan runs happily every night over nothing."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.cfn.deployment import Resource
from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.model.selections import explicit, protectable, selects
from bicoastal.review.rule import CannotTell, Hit, Rule, Seen

RULE = Rule(
    "backup-selects-nothing",
    Severity.ERROR,
    "A backup selection matches nothing",
    "The plan runs, succeeds and backs up nothing: it shows on the day of the restore.",
    "Select by the ARN of the resource, or by a tag that it bears in the same letters.",
    ("AWS::Backup::BackupSelection",),
    "https://docs.aws.amazon.com/aws-backup/latest/devguide/assigning-resources.html",
)


def look(case: Case) -> Iterator[Seen]:
    """Selections in a region that holds something to back up, none of which they take."""
    for item in case.deployment.of_type(*RULE.types):
        candidates = protectable(case.deployment, item.region)
        answers = [selects(case.deployment, item, one) for one in candidates]
        if not candidates or any(answer is True for answer in answers):
            continue
        if None in answers or not explicit(case.deployment, item, candidates):
            yield CannotTell(item, "What it selects depends on values, or on stack tags, that are not written here.")
            continue
        names = ", ".join(one.logical_id for one in candidates[:3])
        yield Hit(item, f"{item.logical_id} takes nothing of {item.region}, where there is {names}.", _path(item))


def _path(item: Resource) -> tuple[str, ...]:
    name = "Resources" if item.items("BackupSelection", "Resources") else "ListOfTags"
    return ("BackupSelection", name)
