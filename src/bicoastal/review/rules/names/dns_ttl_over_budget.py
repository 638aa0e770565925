"""What resolvers have cached they go on answering, however fast the failover was."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.rule import Hit, Rule, Seen

RULE = Rule(
    "dns-ttl-over-budget",
    Severity.WARNING,
    "A record that fails over is cached for longer than a minute",
    "Clients keep going to the lost region for the whole TTL after the switch.",
    "Set a TTL of 60 seconds or less, or use an alias record.",
    ("AWS::Route53::RecordSet", "AWS::Route53::RecordSetGroup"),
    "https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/best-practices-dns.html",
)
_SECONDS = 60


def look(case: Case) -> Iterator[Seen]:
    """Records that are one of several, with a TTL of their own."""
    for record in case.names.records:
        if record.set_id and record.ttl is not None and record.ttl > _SECONDS and not record.alias:
            text = f"{record.resource.logical_id} of {record.name} is cached for {record.ttl:.0f} s."
            yield Hit(record.resource, text, (*record.path, "TTL"))
