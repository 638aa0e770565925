"""A log group without retention keeps everything, and bills for it."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.rule import Hit, Rule, Seen

RULE = Rule(
    "log-group-kept-for-ever",
    Severity.WARNING,
    "A log group keeps logs for ever",
    "Costs grow without end, and what had to be deleted by law or promise is still there.",
    "Set RetentionInDays.",
    ("AWS::Logs::LogGroup",),
    "https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/Working-with-log-groups-and-streams.html",
)


def look(case: Case) -> Iterator[Seen]:
    """Groups without the property."""
    for item in case.deployment.of_type("AWS::Logs::LogGroup"):
        if item.get("RetentionInDays") is None:
            yield Hit(item, f"{item.logical_id} has no retention.")
