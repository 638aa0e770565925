"""A calculated check that wants none, or more than it has, says the same whatever happens."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.model.names import CONFIG
from bicoastal.review.rule import Hit, Rule, Seen
from bicoastal.review.verdict import number

RULE = Rule(
    "calculated-check-never-changes",
    Severity.ERROR,
    "A calculated health check cannot change",
    "It decides over failover and is stuck: users are never moved, or moved away for ever.",
    "Set HealthThreshold between 1 and the number of its children.",
    ("AWS::Route53::HealthCheck",),
    "https://docs.aws.amazon.com/Route53/latest/APIReference/API_HealthCheckConfig.html",
)


def look(case: Case) -> Iterator[Seen]:
    """The threshold against the number of children."""
    for check in case.names.checks:
        wanted = number(check.get(CONFIG, "HealthThreshold"))
        children = check.get(CONFIG, "ChildHealthChecks")
        if check.get(CONFIG, "Type") != "CALCULATED" or wanted is None or not isinstance(children, list):
            continue
        if not 1 <= wanted <= len(children):
            always = "never healthy" if wanted > len(children) else "always healthy"
            text = f"{check.logical_id} wants {wanted:.0f} of {len(children)} children: it is {always}."
            yield Hit(check, text, (CONFIG, "HealthThreshold"))
