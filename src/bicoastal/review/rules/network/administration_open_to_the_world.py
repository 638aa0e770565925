"""Ports for administrators are tried by everybody, all day."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.cfn.deployment import Resource
from bicoastal.cfn.values import Unknown
from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.model.network import ANYWHERE
from bicoastal.review.rule import Hit, Rule, Seen

RULE = Rule(
    "administration-open-to-the-world",
    Severity.WARNING,
    "SSH, RDP or a database port is open to every address",
    "One weak password or one late patch, and the network is somebody else's.",
    "Close the port, and use Session Manager; or name the addresses that need it.",
    ("AWS::EC2::SecurityGroup", "AWS::EC2::SecurityGroupIngress"),
    "https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html",
)
_HARMLESS = {
    "AWS::ElasticLoadBalancingV2::LoadBalancer",
    "AWS::ElasticLoadBalancing::LoadBalancer",
    "AWS::Lambda::Function",
    "AWS::Serverless::Function",
}
_ASIDE = (
    "AWS::EC2::SecurityGroup",
    "AWS::EC2::SecurityGroupIngress",
    "AWS::EC2::SecurityGroupEgress",
    "AWS::CloudFormation::Stack",
)
_PORTS = {22: "SSH", 3389: "RDP", 3306: "MySQL", 6379: "Redis", 27017: "MongoDB"}


def look(case: Case) -> Iterator[Seen]:
    """Rules that name such a port, alone or in a range; everything from everywhere counts too."""
    for region in case.deployment.regions:
        for group in case.deployment.of_type("AWS::EC2::SecurityGroup", region=region):
            if _nobody_listens(case, group):
                continue
            for rule in case.network(region).rules(group, ingress=True):
                protocol = rule.resource.get(*rule.path, "IpProtocol")
                unclear = isinstance(rule.resource.get(*rule.path, "FromPort"), Unknown) or isinstance(
                    protocol, Unknown
                )
                open_ones = [name for port, name in _PORTS.items() if rule.first <= port <= rule.last]
                if rule.peer in (ANYWHERE, "::/0") and rule.protocol in ("tcp", "-1") and open_ones and not unclear:
                    what = "everything" if len(open_ones) == len(_PORTS) else ", ".join(open_ones)
                    yield Hit(rule.resource, f"{group.logical_id} opens {what} to {rule.peer}.", rule.path)


def _nobody_listens(case: Case, group: Resource) -> bool:
    """Whether load balancers and functions alone bear it.

    The ones answer on their listeners' ports, whatever else is open, the others on none.
    """
    users = {one.type for one in case.deployment.referring(group) if one.type not in _ASIDE}
    return bool(users) and users <= _HARMLESS
