"""Route 53 reads an alarm's metric itself, and does so for plain alarms only."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.cfn.deployment import Resource
from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.model.names import CONFIG
from bicoastal.review.rule import Hit, Rule, Seen
from bicoastal.review.verdict import number

RULE = Rule(
    "check-on-alarm-not-allowed",
    Severity.ERROR,
    "A Route 53 health check follows an alarm of a kind that it cannot read",
    "The check cannot be created, or judges by something else than the alarm.",
    "Point it at an alarm on one plain metric: no metric math, no M out of N, no percentile, periods of a minute.",
    ("AWS::Route53::HealthCheck",),
    "https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/health-checks-types.html",
)
_PLAIN = frozenset({"Average", "Minimum", "Maximum", "Sum", "SampleCount"})


def look(case: Case) -> Iterator[Seen]:
    """Checks whose alarm is here."""
    for check in case.names.checks:
        alarm = case.resolution.alarm_of(check)
        reason = _why_not(alarm.resource) if alarm is not None else ""
        if alarm is not None and reason:
            text = f"{check.logical_id} follows {alarm.resource.logical_id}, which {reason}."
            yield Hit(check, text, (CONFIG, "AlarmIdentifier"))


def _why_not(alarm: Resource) -> str:
    """What of an alarm Route 53 does not take."""
    few = number(alarm.get("DatapointsToAlarm"))
    if alarm.items("Metrics"):
        return "computes metric math"
    if few is not None and few != number(alarm.get("EvaluationPeriods")):
        return f"wants {few:.0f} data points out of more"
    if alarm.get("ExtendedStatistic") is not None:
        return "looks at a percentile"
    statistic = alarm.get("Statistic")
    if isinstance(statistic, str) and statistic not in _PLAIN:
        return f"looks at {statistic}"
    return "has periods under a minute" if (number(alarm.get("Period")) or 60) < 60 else ""
