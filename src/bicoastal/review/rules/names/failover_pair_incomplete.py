"""A primary without a secondary fails over to nothing."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.rule import Hit, Rule, Seen

RULE = Rule(
    "failover-pair-incomplete",
    Severity.ERROR,
    "A primary failover record has no secondary",
    "When the primary is unhealthy, Route 53 answers it all the same: there is nowhere else to go.",
    "Add the SECONDARY record of the same name and type.",
    ("AWS::Route53::RecordSet", "AWS::Route53::RecordSetGroup"),
    "https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/dns-failover-types.html",
)


def look(case: Case) -> Iterator[Seen]:
    """Primaries alone under a name that is known."""
    for record in case.names.records:
        if record.failover != "PRIMARY" or "${?}" in record.name:
            continue
        others = case.names.named(record.name, record.type)
        unclear = any(other.failover not in ("PRIMARY", "SECONDARY") for other in others)
        if not unclear and not any(other.failover == "SECONDARY" for other in others):
            text = f"{record.resource.logical_id} is the only record of {record.name}."
            yield Hit(record.resource, text, (*record.path, "Failover"))
