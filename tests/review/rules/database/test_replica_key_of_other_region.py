"""A KMS key works in its own region only: a replica in another region needs one of there."""

from __future__ import annotations

from tests.support.findings import said
from tests.support.pieces import DATABASE

RULE = "replica-key-of-other-region"


def test_by_its_arn() -> None:
    (text,) = said(RULE, DATABASE.replace("MORE", 'KmsKeyId: "arn:aws:kms:eu-west-1:123456789012:key/a"'))
    assert text.startswith("error: Database of us-east-1 has a key of eu-west-1.")


def test_by_an_id_alone() -> None:
    assert said(RULE, DATABASE.replace("MORE", "KmsKeyId: 1234abcd")) == []


def test_a_key_of_its_region() -> None:
    assert said(RULE, DATABASE.replace("MORE", "KmsKeyId: !Ref Key") + "Key: {Type: AWS::KMS::Key}") == []
