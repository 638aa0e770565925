"""Route 53 does not compute a calculated check from calculated ones."""

from __future__ import annotations

from tests.support.findings import said

RULE = "calculated-check-of-calculated"


def test_one_of_another() -> None:
    (text,) = said(
        RULE,
        """
One: {Type: AWS::Route53::HealthCheck, Properties: {HealthCheckConfig: {Type: TCP, IPAddress: 192.0.2.1,
    Port: 443}}}
Both:
  Type: AWS::Route53::HealthCheck
  Properties: {HealthCheckConfig: {Type: CALCULATED, HealthThreshold: 1, ChildHealthChecks: [!Ref One,
      !Ref Both]}}
""",
    )
    assert text.startswith("error: Both counts Both, which is calculated itself.")


def test_of_endpoints() -> None:
    assert (
        said(
            RULE,
            """
One: {Type: AWS::Route53::HealthCheck, Properties: {HealthCheckConfig: {Type: TCP, IPAddress: 192.0.2.1,
    Port: 443}}}
Both:
  Type: AWS::Route53::HealthCheck
  Properties: {HealthCheckConfig: {Type: CALCULATED, HealthThreshold: 1, ChildHealthChecks: [!Ref One, abc]}}
""",
        )
        == []
    )
