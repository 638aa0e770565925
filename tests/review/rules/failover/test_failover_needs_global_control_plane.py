"""Route 53's and IAM's control planes stand in us-east-1; their data planes stand everywhere."""

from __future__ import annotations

from tests.support.findings import said

RULE = "failover-needs-global-control-plane"


def test_records() -> None:
    (text,) = said(
        RULE,
        """
Move:
  Type: AWS::SSM::Document
  Properties: {DocumentType: Automation, Content: {description: failover, mainSteps: [{name: a,
      inputs: {Api: ChangeResourceRecordSets}}]}}
""",
    )
    assert text.startswith("warning: Move calls ChangeResourceRecordSets.")


def test_the_database_alone() -> None:
    assert (
        said(
            RULE,
            """
Move:
  Type: AWS::SSM::Document
  Properties: {DocumentType: Automation, Content: {description: failover, mainSteps: [{name: a,
      inputs: {Api: PromoteReadReplica}}]}}
""",
        )
        == []
    )
