"""Route 53 does not compute a calculated check from calculated ones."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.model.names import CONFIG
from bicoastal.review.rule import Hit, Rule, Seen

RULE = Rule(
    "calculated-check-of-calculated",
    Severity.ERROR,
    "A calculated health check counts another calculated one",
    "Route 53 refuses it: the stack fails, and there is no failover.",
    "List the children of the inner check instead of the check itself.",
    ("AWS::Route53::HealthCheck",),
    "https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/health-checks-creating-values.html",
)


def look(case: Case) -> Iterator[Seen]:
    """Children of the same kind."""
    for check in case.names.checks:
        for child in case.names.children(check):
            if child.get(CONFIG, "Type") == "CALCULATED":
                text = f"{check.logical_id} counts {child.logical_id}, which is calculated itself."
                yield Hit(check, text, (CONFIG, "ChildHealthChecks"))
