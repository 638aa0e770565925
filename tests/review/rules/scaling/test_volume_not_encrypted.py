"""Volumes hold logs, temporary files and swapped memory of what the database encrypts."""

from __future__ import annotations

from tests.support.findings import said

RULE = "volume-not-encrypted"


def test_said_to_be_in_clear() -> None:
    (text,) = said(
        RULE, "Disk: {Type: AWS::EC2::Volume, Properties: {Size: 8, Encrypted: false, AvailabilityZone: us-east-1a}}"
    )
    assert text.startswith("warning: Disk is not encrypted.")


def test_the_account_decides() -> None:
    assert said(RULE, "Disk: {Type: AWS::EC2::Volume, Properties: {Size: 8, AvailabilityZone: us-east-1a}}") == []
