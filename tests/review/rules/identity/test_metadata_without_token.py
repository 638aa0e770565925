"""Instance metadata without tokens give a role's keys to whoever tricks the application into one request."""

from __future__ import annotations

from tests.support.findings import said
from tests.support.pieces import BALANCER, FLEET, VPC

RULE = "metadata-without-token"


def test_optional() -> None:
    (text,) = said(
        RULE,
        (VPC + BALANCER + FLEET).replace(
            "      SecurityGroupIds", "      MetadataOptions: {HttpTokens: optional}\n      SecurityGroupIds"
        ),
    )
    assert text.startswith("warning: Template makes tokens optional.")


def test_the_image_decides() -> None:
    assert said(RULE, VPC + BALANCER + FLEET) == []
