"""A replica has its source's users and databases, and RDS refuses to be given others."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.cfn.values import Unknown
from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.rule import Hit, Rule, Seen
from bicoastal.review.verdict import same

RULE = Rule(
    "replica-carries-own-login",
    Severity.ERROR,
    "A read replica is given a master user, a password or a database name",
    "RDS refuses to create it: the second region has no copy.",
    "Remove these properties from the replica.",
    ("AWS::RDS::DBInstance",),
    "https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-rds-dbinstance.html",
)
_REFUSED = ("MasterUsername", "MasterUserPassword", "ManageMasterUserPassword", "DBName")


def look(case: Case) -> Iterator[Seen]:
    """Instances with a source, certainly."""
    for item in case.deployment.of_type("AWS::RDS::DBInstance"):
        source = item.get("SourceDBInstanceIdentifier")
        if source is None or isinstance(source, Unknown):
            continue
        for name in _REFUSED:
            value = item.get(name)
            if value is not None and not isinstance(value, Unknown) and not same(value, False):
                yield Hit(item, f"{item.logical_id} copies another database and has {name}.", (name,))
