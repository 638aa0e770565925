"""A balancer whose packets do not arrive at its targets answers 503 or 504, in the best of times."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.model.ends import balancer_ends, fleet_ends
from bicoastal.review.model.service import Balancer, Fleet
from bicoastal.review.rule import CannotTell, Hit, Rule, Seen
from bicoastal.review.verdict import number

RULE = Rule(
    "balancer-cannot-reach-targets",
    Severity.ERROR,
    "A load balancer cannot reach its targets",
    "Every target stays unhealthy, and users get errors.",
    "Let the targets' security group take the port from the balancer's security group, and the balancer's let it out.",
    ("AWS::ElasticLoadBalancingV2::LoadBalancer",),
    "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-register-targets.html",
)


def look(case: Case) -> Iterator[Seen]:
    """From each subnet of a balancer to each subnet of the fleet, on the ports of requests and of health checks."""
    for region in case.deployment.regions:
        for balancer in case.balancers(region):
            for fleet in case.fleets(region):
                yield from _between(case, balancer, fleet)


def _between(case: Case, balancer: Balancer, fleet: Fleet) -> Iterator[Seen]:
    joined = [target for target in balancer.targets if any(target is one for one in fleet.targets)]
    if not joined:
        return
    sources, vague = balancer_ends(case.reachable, balancer)
    destinations, unclear = fleet_ends(case.reachable, fleet)
    for target in joined:
        ports = {number(target.get("Port")), number(target.get("HealthCheckPort", default=target.get("Port")))}
        if vague or unclear:
            yield CannotTell(target, f"Whether {balancer.resource.logical_id} reaches it: {vague or unclear}.")
            continue
        for port in sorted(int(port) for port in ports if port is not None):
            reasons = (case.reachable.blocked(one, other, port) for one in sources for other in destinations)
            reason = next(filter(None, reasons), "")
            if reason:
                name = balancer.resource.logical_id
                yield Hit(target, f"{name} sends requests to port {port}, and {reason}.", ("Port",))
