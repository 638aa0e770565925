"""Latency, weighted and geographic records route around what is lost only if they know that it is."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.rule import Hit, Rule, Seen

RULE = Rule(
    "routing-record-without-health-check",
    Severity.ERROR,
    "A record of several places has no health check",
    "Its share of the users goes on being sent to the lost region.",
    "Give each record of the name a HealthCheckId, or EvaluateTargetHealth to an alias whose target has a health.",
    ("AWS::Route53::RecordSet", "AWS::Route53::RecordSetGroup"),
    "https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/dns-failover-complex-configs.html",
)


def look(case: Case) -> Iterator[Seen]:
    """Records beside others of the same name that lead to other balancers."""
    for record in case.names.records:
        if not record.set_id or record.failover or record.guarded or record.evaluates:
            continue
        own = {id(item) for item in case.names.balancers(record)}
        others = [one for one in case.names.named(record.name, record.type) if one is not record]
        elsewhere = {id(item) for one in others for item in case.names.balancers(one)} - own
        if own and elsewhere:
            text = f"{record.resource.logical_id} of {record.name} is answered whether or not its target is alive."
            yield Hit(record.resource, text, (*record.path, "AliasTarget" if record.alias else "ResourceRecords"))
