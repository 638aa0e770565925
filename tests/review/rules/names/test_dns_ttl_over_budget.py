"""What resolvers have cached they go on answering, however fast the failover was."""

from __future__ import annotations

from tests.support.findings import said

RULE = "dns-ttl-over-budget"


def test_five_minutes() -> None:
    (text,) = said(
        RULE,
        """
Users:
  Type: AWS::Route53::RecordSet
  Properties: {Name: a.example.com, Type: CNAME, SetIdentifier: a, Weight: 1, TTL: "300",
      ResourceRecords: [b.example.com]}
""",
    )
    assert text.startswith("warning: Users of a.example.com is cached for 300 s.")


def test_a_minute() -> None:
    assert (
        said(
            RULE,
            """
Users:
  Type: AWS::Route53::RecordSet
  Properties: {Name: a.example.com, Type: CNAME, SetIdentifier: a, Weight: 1, TTL: "60",
      ResourceRecords: [b.example.com]}
""",
        )
        == []
    )


def test_a_record_that_is_alone_has_nowhere_to_go() -> None:
    assert (
        said(
            RULE,
            """
Users:
  Type: AWS::Route53::RecordSet
  Properties: {Name: a.example.com, Type: CNAME, TTL: "300", ResourceRecords: [b.example.com]}
""",
        )
        == []
    )
