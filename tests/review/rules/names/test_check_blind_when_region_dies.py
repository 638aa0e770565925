"""A dead region publishes no data: what a check does without data is what it does in the outage."""

from __future__ import annotations

from tests.support.findings import said
from tests.support.pieces import RECORDS

RULE = "check-blind-when-region-dies"


def test_last_known_by_default() -> None:
    (text,) = said(
        RULE,
        RECORDS.replace(
            "Type: HTTPS, FullyQualifiedDomainName: !GetAtt East.DNSName",
            "Type: CLOUDWATCH_METRIC, AlarmIdentifier: {Name: busy, Region: us-east-1}",
        ),
    )
    assert text.startswith("error: Check guards what leads to us-east-1 and takes missing data for LastKnownStatus.")


def test_unhealthy_without_data() -> None:
    assert (
        said(
            RULE,
            RECORDS.replace(
                "Type: HTTPS, FullyQualifiedDomainName: !GetAtt East.DNSName",
                "Type: CLOUDWATCH_METRIC, AlarmIdentifier: {Name: busy, Region: us-east-1}",
            ).replace("RequestInterval: 10", "InsufficientDataHealthStatus: Unhealthy"),
        )
        == []
    )
