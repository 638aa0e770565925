"""Failover routing without health is no failover: the primary is answered for ever."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.model.names import Record
from bicoastal.review.rule import Hit, Rule, Seen

RULE = Rule(
    "failover-record-without-health-check",
    Severity.ERROR,
    "A primary failover record has no health check",
    "Route 53 takes it for healthy for ever: users are sent to the lost region.",
    "Give it a HealthCheckId, or for an alias EvaluateTargetHealth on a target that has a health.",
    ("AWS::Route53::RecordSet", "AWS::Route53::RecordSetGroup"),
    "https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/dns-failover-types.html",
)
_DEEP = 20


def look(case: Case) -> Iterator[Seen]:
    """Primaries that nothing can make unhealthy."""
    for record in case.names.records:
        if record.failover == "PRIMARY" and not _has_health(case, record, 0):
            how = "evaluates a target without health" if record.evaluates else "has none and evaluates nothing"
            text = f"{record.resource.logical_id} is the primary of {record.name}, and {how}."
            yield Hit(record.resource, text, (*record.path, "Failover"))


def _has_health(case: Case, record: Record, depth: int) -> bool:
    """A check of its own, or a target with one; what is not known here counts as having one."""
    if record.guarded or depth > _DEEP:
        return True
    if not record.evaluates:
        # An alias whose flag is not known, or something else than a plain record: nobody can tell.
        return "${?}" in str(record.resource.get(*record.path, "AliasTarget", "EvaluateTargetHealth"))
    targets = case.names.named(record.alias, record.type)
    return record.balancer is not None or not targets or any(_has_health(case, one, depth + 1) for one in targets)
