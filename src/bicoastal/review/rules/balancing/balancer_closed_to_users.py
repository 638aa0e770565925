"""A public balancer that users cannot reach is down, however healthy what stands behind it."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.core.findings import Severity
from bicoastal.reach.model import INTERNET
from bicoastal.review.case import Case
from bicoastal.review.model.ends import balancer_ends
from bicoastal.review.model.network import ANYWHERE
from bicoastal.review.model.service import Balancer
from bicoastal.review.rule import CannotTell, Hit, Rule, Seen
from bicoastal.review.verdict import number

RULE = Rule(
    "balancer-closed-to-users",
    Severity.ERROR,
    "Users cannot reach a public load balancer",
    "Every request times out.",
    "Give it subnets routed to an internet gateway, and a security group that lets its listeners' ports in.",
    ("AWS::ElasticLoadBalancingV2::Listener",),
    "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html",
)


def look(case: Case) -> Iterator[Seen]:
    """From the internet to each listener, by routes and groups."""
    for region in case.deployment.regions:
        for balancer in case.balancers(region):
            if balancer.resource.get("Scheme", default="internet-facing") != "internet-facing":
                continue
            ends, unclear = balancer_ends(case.reachable, balancer)
            if unclear:
                yield CannotTell(balancer.resource, f"Whether users reach {balancer.resource.logical_id}: {unclear}.")
                continue
            for listener in balancer.listeners:
                port = number(listener.get("Port"))
                if port is None or _narrow(case, balancer, port):
                    continue
                reasons = (case.reachable.blocked(INTERNET, end, int(port)) for end in ends)
                reason = next(filter(None, reasons), "")
                if reason:
                    yield Hit(listener, f"{listener.logical_id} on port {port:.0f}: {reason}.", ("Port",))


def _narrow(case: Case, balancer: Balancer, port: float) -> bool:
    """Whether its groups let somebody in on the port who is not everybody: that is meant."""
    network = case.network(balancer.resource.region)
    rules = [rule for group in balancer.groups for rule in network.rules(group, ingress=True)]
    return any(rule.first <= port <= rule.last and rule.peer != ANYWHERE for rule in rules)
