"""A name that nothing bears: the template is refused, or was changed half."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.cfn.deployment import Stack
from bicoastal.cfn.values import unknowns
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
    for item in case.deployment.resources:
        if "Fn::Transform" in str(item.body)[:2000] or _rewritten(item.stack):
            continue
        for path, unknown in unknowns(item.properties):
            if unknown.reason.startswith(_NOBODY) and not unknown.options:
                yield Hit(item, f"{item.logical_id}: {unknown.reason}.", path)
                break


def _rewritten(stack: Stack) -> bool:
    """Whether a macro makes resources that are not written here, as SAM does."""
    return stack.template.body.get("Transform") not in (None, "AWS::LanguageExtensions", ["AWS::LanguageExtensions"])
