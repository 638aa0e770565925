"""A public address on a database is reached by whoever its groups do not stop."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.rule import Hit, Rule, Seen
from bicoastal.review.verdict import yes

RULE = Rule(
    "database-publicly-accessible",
    Severity.ERROR,
    "A database has a public address",
    "Its name resolves on the internet, and one rule too many gives everybody the login.",
    "Set PubliclyAccessible to false.",
    ("AWS::RDS::DBInstance",),
    "https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_VPC.WorkingWithRDSInstanceinaVPC.html",
)


def look(case: Case) -> Iterator[Seen]:
    """The flag, where it is said."""
    for item in case.deployment.of_type("AWS::RDS::DBInstance"):
        if yes(item.get("PubliclyAccessible")):
            yield Hit(item, f"{item.logical_id} is publicly accessible.", ("PubliclyAccessible",))
