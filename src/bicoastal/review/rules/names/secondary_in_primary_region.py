"""A secondary that stands where the primary stands is lost with it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.model.names import Record
from bicoastal.review.rule import Hit, Rule, Seen

RULE = Rule(
    "secondary-in-primary-region",
    Severity.ERROR,
    "A secondary failover record leads to the region of its primary",
    "When the region is lost, users are sent from one dead place to another.",
    "Let it lead to a load balancer of the other region.",
    ("AWS::Route53::RecordSet", "AWS::Route53::RecordSetGroup"),
    "https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/dns-failover-types.html",
)
_REGION = re.compile(r"\.([a-z]{2}(?:-[a-z]+)+-\d)\.elb\.amazonaws\.com|\.elb\.([a-z]{2}(?:-[a-z]+)+-\d)\.amazonaws")


def look(case: Case) -> Iterator[Seen]:
    """Pairs of one name, by what they finally lead to."""
    for record in case.names.records:
        if record.failover != "SECONDARY":
            continue
        for primary in case.names.named(record.name, record.type):
            if primary.failover != "PRIMARY":
                continue
            first, second = _regions(case, primary), _regions(case, record)
            path = (*record.path, "AliasTarget" if record.alias else "ResourceRecords")
            if first and second and second <= first:
                text = f"{record.resource.logical_id} and its primary both lead to {', '.join(sorted(second))}."
                yield Hit(record.resource, text, path)
            elif record.values and record.values == primary.values and "${?}" not in str(record.values):
                text = f"{record.resource.logical_id} and its primary have the same value, {record.values[0]}."
                yield Hit(record.resource, text, path)


def _regions(case: Case, record: Record) -> set[str]:
    """Regions of the balancers behind it; none where that is not known of all."""
    found = {item.region for item in case.names.balancers(record)}
    for text in (record.alias, *record.values):
        match = _REGION.search(text)
        if match:
            found.add(match[1] or match[2])
    return found
