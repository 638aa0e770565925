"""The time to notice is the interval times the threshold, before anything else can begin."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.model.names import CONFIG
from bicoastal.review.rule import Hit, Rule, Seen
from bicoastal.review.verdict import number

RULE = Rule(
    "health-check-too-slow",
    Severity.WARNING,
    "A health check takes more than a minute to notice that its endpoint is gone",
    "All of that time users are sent to a region that answers nothing.",
    "Set RequestInterval to 10 (it cannot be changed later) and FailureThreshold to 3.",
    ("AWS::Route53::HealthCheck",),
    "https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/dns-failover-determining-health-of-endpoints.html",
)
_SECONDS = 60
_PROBES = ("HTTP", "HTTPS", "HTTP_STR_MATCH", "HTTPS_STR_MATCH", "TCP")


def look(case: Case) -> Iterator[Seen]:
    """Endpoint checks, with AWS's defaults where nothing is said: 30 s, three times."""
    for check in case.names.checks:
        if check.get(CONFIG, "Type") not in _PROBES:
            continue
        interval = number(check.get(CONFIG, "RequestInterval", default=30))
        threshold = number(check.get(CONFIG, "FailureThreshold", default=3))
        if interval is not None and threshold is not None and interval * threshold > _SECONDS:
            text = f"{check.logical_id} asks every {interval:.0f} s and believes it after {threshold:.0f} times"
            yield Hit(check, f"{text}: {interval * threshold:.0f} s.", (CONFIG, "RequestInterval"))
