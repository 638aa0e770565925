"""What moves the database must not stand where the database was lost."""

from __future__ import annotations

from tests.support.findings import said
from tests.support.pieces import DATABASE

RULE = "failover-needs-lost-region"


def test_at_home_alone() -> None:
    (text,) = said(
        RULE,
        DATABASE.replace("MORE", "DBInstanceIdentifier: shop")
        + """
Move:
  Type: AWS::SSM::Document
  Properties: {DocumentType: Automation, Content: {description: failover, mainSteps: [{name: a,
      inputs: {Api: PromoteReadReplica}}]}}
""",
        """Copy:
  Type: AWS::RDS::DBInstance
  Properties: {SourceDBInstanceIdentifier: !Sub "arn:aws:rds:us-east-1:${AWS::AccountId}:db:shop"}
""",
        regions=("us-east-1", "us-west-2"),
    )
    assert text.startswith("error: Move stands in us-east-1, and the replica in us-west-2.")


def test_beside_the_replica_too() -> None:
    assert (
        said(
            RULE,
            DATABASE.replace("MORE", "DBInstanceIdentifier: shop")
            + """
Move:
  Type: AWS::SSM::Document
  Properties: {DocumentType: Automation, Content: {description: failover, mainSteps: [{name: a,
      inputs: {Api: PromoteReadReplica}}]}}
""",
            (
                """Copy:
  Type: AWS::RDS::DBInstance
  Properties: {SourceDBInstanceIdentifier: !Sub "arn:aws:rds:us-east-1:${AWS::AccountId}:db:shop"}
"""
            )
            + """
Move:
  Type: AWS::SSM::Document
  Properties: {DocumentType: Automation, Content: {description: failover, mainSteps: [{name: a,
      inputs: {Api: PromoteReadReplica}}]}}
""",
            regions=("us-east-1", "us-west-2"),
        )
        == []
    )


def test_nothing_to_promote() -> None:
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
