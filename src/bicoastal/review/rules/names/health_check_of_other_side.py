"""A record that is guarded by the health of another place stays when its own is lost."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.model.names import CONFIG
from bicoastal.review.rule import Hit, Rule, Seen
from bicoastal.review.verdict import yes

RULE = Rule(
    "health-check-of-other-side",
    Severity.ERROR,
    "A record's health check knocks at another region's load balancer",
    "While the checked region is well, the record is answered, whether or not what it leads to is alive.",
    "Let the check knock at the load balancer that the record leads to.",
    ("AWS::Route53::RecordSet", "AWS::Route53::RecordSetGroup"),
    "https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/dns-failover-determining-health-of-endpoints.html",
)


def look(case: Case) -> Iterator[Seen]:
    """Records and checks that each lead to one known region."""
    for record in case.names.records:
        if record.check is None or yes(record.check.get(CONFIG, "Inverted")):
            continue
        ends = {item.region for item in case.names.balancers(record)}
        probed = case.names.endpoint(record.check)
        if len(ends) == 1 and probed is not None and probed.region not in ends:
            text = f"{record.resource.logical_id} leads to {next(iter(ends))}, and its check {record.check.logical_id}"
            yield Hit(record.resource, f"{text} asks {probed.region}.", (*record.path, "HealthCheckId"))
