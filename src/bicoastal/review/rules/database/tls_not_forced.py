"""What is allowed to be unencrypted will be, by somebody."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bicoastal.cfn.values import Unknown
from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.rule import Hit, Rule, Seen
from bicoastal.review.verdict import same

RULE = Rule(
    "tls-not-forced",
    Severity.WARNING,
    "A database takes connections without TLS",
    "Passwords and rows cross zones and regions in clear.",
    "Set rds.force_ssl to 1.",
    ("AWS::RDS::DBParameterGroup", "AWS::RDS::DBClusterParameterGroup"),
    "https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/PostgreSQL.Concepts.General.SSL.html",
)
_DEFAULT_OFF = re.compile(r"(aurora-)?postgres(ql)?(9|1[0-4])(\D|$)")


def look(case: Case) -> Iterator[Seen]:
    """Groups that switch it off, or leave it off where that is the default: before PostgreSQL 15."""
    for item in case.deployment.of_type(*RULE.types):
        value = item.get("Parameters", "rds.force_ssl")
        family = str(item.get("Family"))
        if value is None and not isinstance(item.get("Parameters"), Unknown) and _DEFAULT_OFF.match(family):
            yield Hit(item, f"{item.logical_id} leaves TLS to the client, the default of {family}.")
        elif same(value, 0):
            yield Hit(item, f"{item.logical_id} leaves TLS to the client.", ("Parameters", "rds.force_ssl"))
