"""A disabled check counts as healthy, for ever."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.model.names import CONFIG
from bicoastal.review.rule import Hit, Rule, Seen
from bicoastal.review.verdict import yes

RULE = Rule(
    "health-check-disabled",
    Severity.WARNING,
    "A health check is disabled",
    "Route 53 takes it for healthy without asking: nothing that it guards ever fails over.",
    "Enable it; to force a record out of service, invert the check instead.",
    ("AWS::Route53::HealthCheck",),
    "https://docs.aws.amazon.com/Route53/latest/APIReference/API_HealthCheckConfig.html",
)


def look(case: Case) -> Iterator[Seen]:
    """The flag `Disabled`."""
    for check in case.names.checks:
        if yes(check.get(CONFIG, "Disabled")):
            yield Hit(check, f"{check.logical_id} is disabled.", (CONFIG, "Disabled"))
