"""A check that asks the name that it guards sees whatever that name leads to at the moment."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.model.names import CONFIG
from bicoastal.review.rule import Hit, Rule, Seen

RULE = Rule(
    "health-check-asks-its-own-record",
    Severity.ERROR,
    "A health check asks the failover name that it guards",
    "After a failover it probes the survivor, finds it well, and sends users back to the lost region.",
    "Let it ask a name of that region alone, such as the load balancer's own.",
    ("AWS::Route53::RecordSet", "AWS::Route53::RecordSetGroup"),
    "https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/health-checks-creating-values.html",
)


def look(case: Case) -> Iterator[Seen]:
    """The name of the check against the names of records that it decides."""
    for record in case.names.records:
        if record.check is None or not record.set_id:
            continue
        name = record.check.get(CONFIG, "FullyQualifiedDomainName")
        spelled = case.deployment.spelled(name).rstrip(".").lower() if name is not None else ""
        if spelled and spelled == record.name and "${?}" not in spelled:
            text = f"{record.check.logical_id} asks {spelled}, whose record {record.resource.logical_id} it guards."
            yield Hit(record.check, text, (CONFIG, "FullyQualifiedDomainName"))
