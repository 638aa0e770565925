"""What goes over plain HTTP can be read and changed on the way."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.model.service import forwards
from bicoastal.review.rule import Hit, Rule, Seen

RULE = Rule(
    "plain-http-served",
    Severity.WARNING,
    "A public load balancer serves plain HTTP",
    "Passwords and sessions can be read on the way, and a captive network can change what users see.",
    "Let the listener redirect to HTTPS.",
    ("AWS::ElasticLoadBalancingV2::Listener",),
    "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-listeners.html",
)


def look(case: Case) -> Iterator[Seen]:
    """HTTP listeners of public balancers that forward instead of redirecting."""
    for region in case.deployment.regions:
        for balancer in case.balancers(region):
            if balancer.resource.get("Scheme", default="internet-facing") != "internet-facing":
                continue
            for listener in balancer.listeners:
                if listener.get("Protocol") == "HTTP" and any(forwards(listener, "DefaultActions")):
                    text = f"{listener.logical_id} forwards requests that came over plain HTTP."
                    yield Hit(listener, text, ("DefaultActions",))
