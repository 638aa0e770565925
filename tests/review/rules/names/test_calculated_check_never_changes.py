"""A calculated check that wants none, or more than it has, says the same whatever happens."""

from __future__ import annotations

from tests.support.findings import said

RULE = "calculated-check-never-changes"


def test_more_than_there_are() -> None:
    (text,) = said(
        RULE,
        """
One: {Type: AWS::Route53::HealthCheck, Properties: {HealthCheckConfig: {Type: TCP, IPAddress: 192.0.2.1,
    Port: 443}}}
Both:
  Type: AWS::Route53::HealthCheck
  Properties: {HealthCheckConfig: {Type: CALCULATED, HealthThreshold: 3, ChildHealthChecks: [!Ref One, abc]}}
""",
    )
    assert text.startswith("error: Both wants 3 of 2 children: it is never healthy.")


def test_none() -> None:
    (text,) = said(
        RULE,
        """
One: {Type: AWS::Route53::HealthCheck, Properties: {HealthCheckConfig: {Type: TCP, IPAddress: 192.0.2.1,
    Port: 443}}}
Both:
  Type: AWS::Route53::HealthCheck
  Properties: {HealthCheckConfig: {Type: CALCULATED, HealthThreshold: 0, ChildHealthChecks: [!Ref One, abc]}}
""",
    )
    assert text.startswith("error: Both wants 0 of 2 children: it is always healthy.")


def test_all_of_them() -> None:
    assert (
        said(
            RULE,
            """
One: {Type: AWS::Route53::HealthCheck, Properties: {HealthCheckConfig: {Type: TCP, IPAddress: 192.0.2.1,
    Port: 443}}}
Both:
  Type: AWS::Route53::HealthCheck
  Properties: {HealthCheckConfig: {Type: CALCULATED, HealthThreshold: 2, ChildHealthChecks: [!Ref One, abc]}}
""",
        )
        == []
    )


def test_unknown() -> None:
    assert (
        said(
            RULE,
            """
One: {Type: AWS::Route53::HealthCheck, Properties: {HealthCheckConfig: {Type: TCP, IPAddress: 192.0.2.1,
    Port: 443}}}
Both:
  Type: AWS::Route53::HealthCheck
  Properties: {HealthCheckConfig: {Type: CALCULATED, HealthThreshold: !Ref Number,
      ChildHealthChecks: [!Ref One, abc]}}
""",
        )
        == []
    )
