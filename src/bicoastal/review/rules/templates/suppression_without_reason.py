"""A finding may be suppressed, but never without saying why."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.rule import Hit, Rule, Seen
from bicoastal.review.suppress import written

RULE = Rule(
    "suppression-without-reason",
    Severity.WARNING,
    "A finding is suppressed without a reason",
    "Nobody can tell later whether the fault was accepted or merely silenced, so the suppression does nothing.",
    "Write why under `reason`.",
    (),
)


def look(case: Case) -> Iterator[Seen]:
    """Entries on resources, and at the top of files."""
    for stack in case.deployment.stacks.values():
        resources = list(stack.resources.values())
        for entry in written(stack.template.body.get("Metadata")):
            if not entry.reason and resources:
                yield Hit(resources[0], f"The file suppresses {entry.rule} and does not say why.")
        for item in resources:
            for entry in written(item.body.get("Metadata")):
                if not entry.reason:
                    yield Hit(item, f"{item.logical_id} suppresses {entry.rule} and does not say why.")
