"""A dead region publishes no data: what a check does without data is what it does in the outage."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.model.names import CONFIG
from bicoastal.review.rule import Hit, Rule, Seen

RULE = Rule(
    "check-blind-when-region-dies",
    Severity.ERROR,
    "A health check on an alarm stays healthy when its region stops sending data",
    "The region dies, its metrics stop, and the record that leads there is still answered.",
    "Set InsufficientDataHealthStatus to Unhealthy, or probe an endpoint beside the alarm.",
    ("AWS::Route53::HealthCheck",),
    "https://docs.aws.amazon.com/Route53/latest/APIReference/API_HealthCheckConfig.html",
)


def look(case: Case) -> Iterator[Seen]:
    """Checks that decide alone over a record that leads to the alarm's own region."""
    for record in case.names.records:
        check = record.check
        if check is None or check.get(CONFIG, "Type") != "CLOUDWATCH_METRIC":
            continue
        region = check.get(CONFIG, "AlarmIdentifier", "Region")
        ends = {item.region for item in case.names.balancers(record)}
        status = check.get(CONFIG, "InsufficientDataHealthStatus", default="LastKnownStatus")
        if ends == {region} and status in ("Healthy", "LastKnownStatus"):
            text = f"{check.logical_id} guards what leads to {region} and takes missing data for {status}."
            yield Hit(check, text, (CONFIG, "InsufficientDataHealthStatus"))
