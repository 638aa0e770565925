"""What is allowed to be unencrypted will be, by somebody."""

from __future__ import annotations

from tests.support.findings import said

RULE = "tls-not-forced"


def test_switched_off() -> None:
    (text,) = said(
        RULE,
        "Group: {Type: AWS::RDS::DBParameterGroup, Properties: {Family: postgres17, Parameters: {rds.force_ssl: 0}}}",
    )
    assert text.startswith("warning: Group leaves TLS to the client.")


def test_on_by_default_since_15() -> None:
    assert (
        said(RULE, "Group: {Type: AWS::RDS::DBParameterGroup, Properties: {Family: postgres17, Parameters: {a: 1}}}")
        == []
    )


def test_off_by_default_before() -> None:
    (text,) = said(
        RULE, "Group: {Type: AWS::RDS::DBParameterGroup, Properties: {Family: postgres14, Parameters: {a: 1}}}"
    )
    assert text.startswith("warning: Group leaves TLS to the client, the default of postgres14.")
