"""A bucket is private unless somebody opens it."""

from __future__ import annotations

from tests.support.findings import said

RULE = "bucket-open-to-the-public"


def test_switched_off() -> None:
    (text,) = said(
        RULE, "Bucket: {Type: AWS::S3::Bucket, Properties: {PublicAccessBlockConfiguration: {BlockPublicAcls: false}}}"
    )
    assert text.startswith("error: Bucket switches BlockPublicAcls off.")


def test_aws_s_default() -> None:
    assert said(RULE, "Bucket: {Type: AWS::S3::Bucket}") == []
