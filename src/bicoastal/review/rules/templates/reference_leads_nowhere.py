"""A name that nothing bears: the template is refused, or was changed half."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.rule import Hit, Rule, Seen

RULE = Rule(
    "reference-leads-nowhere",
    Severity.ERROR,
    "A value refers to something that is not in the template",
    "The stack cannot be created or updated, and it shows when somebody needs it.",
    "Correct the name, or add what it names.",
    (),
    "https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-ref.html",
)
_NOBODY = "nothing here is called"


def look(case: Case) -> Iterator[Seen]:
    """Properties whose value is not known because the name in it is nobody's."""
    written_here = {stack.id for stack in case.deployment.stacks.values() if not stack.is_added_to}
    for item in case.deployment.resources:
        if item.stack.id not in written_here:
            continue
        for path, unknown in item.unknowns:
            if unknown.reason.startswith(_NOBODY) and not unknown.options:
                yield Hit(item, f"{item.logical_id}: {unknown.reason}.", path)
                break
