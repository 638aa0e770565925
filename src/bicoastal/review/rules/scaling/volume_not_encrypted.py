"""Volumes hold logs, temporary files and swapped memory of what the database encrypts."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.rule import Hit, Path, Rule, Seen
from bicoastal.review.verdict import same

RULE = Rule(
    "volume-not-encrypted",
    Severity.WARNING,
    "An instance's volume is not encrypted",
    "What was read from the encrypted database lies on it in clear.",
    "Set Encrypted to true.",
    ("AWS::EC2::LaunchTemplate", "AWS::EC2::Volume", "AWS::EC2::Instance"),
    "https://docs.aws.amazon.com/ebs/latest/userguide/ebs-encryption.html",
)


def look(case: Case) -> Iterator[Seen]:
    """Volumes that say so; where nothing is said, the account's default decides."""
    for item in case.deployment.of_type("AWS::EC2::Volume"):
        if same(item.get("Encrypted"), False):
            yield Hit(item, f"{item.logical_id} is not encrypted.", ("Encrypted",))
    for item in case.deployment.of_type("AWS::EC2::LaunchTemplate", "AWS::EC2::Instance"):
        within: Path = ("LaunchTemplateData",) if item.type == "AWS::EC2::LaunchTemplate" else ()
        for index, _ in enumerate(item.items(*within, "BlockDeviceMappings")):
            path = (*within, "BlockDeviceMappings", index, "Ebs", "Encrypted")
            if same(item.get(*path), False):
                yield Hit(item, f"A volume of {item.logical_id} is not encrypted.", path)
