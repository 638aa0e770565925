"""Instance metadata without tokens give a role's keys to whoever tricks the application into one request."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.rule import Hit, Rule, Seen

RULE = Rule(
    "metadata-without-token",
    Severity.WARNING,
    "Instance metadata can be read without a token",
    "One forged request through the application, and the instance's role is stolen.",
    "Set MetadataOptions.HttpTokens to required.",
    ("AWS::EC2::LaunchTemplate",),
    "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html",
)


def look(case: Case) -> Iterator[Seen]:
    """Launch templates that say so; where nothing is said, the image or the account decides."""
    path = ("LaunchTemplateData", "MetadataOptions", "HttpTokens")
    for item in case.deployment.of_type("AWS::EC2::LaunchTemplate"):
        if item.get(*path) == "optional":
            yield Hit(item, f"{item.logical_id} makes tokens optional.", path)
