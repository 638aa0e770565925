"""A database whose group lets every address in waits for one more mistake."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.model.ends import database_port
from bicoastal.review.model.network import ANYWHERE
from bicoastal.review.rule import Hit, Rule, Seen

RULE = Rule(
    "database-open-to-the-world",
    Severity.ERROR,
    "A database's security group lets every address in",
    "The network no longer protects it: a public address or a peered network is enough to try passwords.",
    "Let in the application's security group, or the other region's private block, and nobody else.",
    ("AWS::RDS::DBInstance", "AWS::RDS::DBCluster"),
    "https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Overview.RDSSecurityGroups.html",
)


def look(case: Case) -> Iterator[Seen]:
    """Rules of the groups of each database, wherever they are written."""
    for item in case.deployment.of_type(*RULE.types):
        for value in [*item.items("VPCSecurityGroups"), *item.items("VpcSecurityGroupIds")]:
            group = case.deployment.resource(value)
            if group is None or group.type != "AWS::EC2::SecurityGroup":
                continue
            for rule in case.network(item.region).rules(group, ingress=True):
                known = "${?}" not in str(rule.resource.get(*rule.path))
                if rule.peer in (ANYWHERE, "::/0") and rule.first <= database_port(item) <= rule.last and known:
                    text = f"{group.logical_id} of {item.logical_id} lets {rule.peer} in."
                    yield Hit(rule.resource, text, rule.path)
