"""Requests that are forwarded to a group without targets are answered with 503."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.cfn.values import Unknown
from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.model.service import exported
from bicoastal.review.rule import Hit, Rule, Seen

RULE = Rule(
    "target-group-without-targets",
    Severity.ERROR,
    "A listener forwards to a target group that nothing joins",
    "Users get 503, or in a failover the standby has nothing to serve with.",
    "Name the target group in the fleet's TargetGroupARNs.",
    ("AWS::ElasticLoadBalancingV2::TargetGroup",),
    "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-target-groups.html",
)


def look(case: Case) -> Iterator[Seen]:
    """Groups that get requests, have no targets of their own, and that nothing here refers to as somebody who joins."""
    for region in case.deployment.regions:
        for balancer in case.balancers(region):
            if any(exported(case.deployment, one) for one in balancer.listeners):
                continue  # others hang their own groups on it, and this one is a stopgap
            for target in balancer.targets:
                if target.get("Targets") is not None or target.get("TargetType") == "lambda":
                    continue
                users = [one for one in case.deployment.referring(target) if not one.type.startswith(_ASIDE)]
                if not users and not exported(case.deployment, target) and not _unclear(case, region):
                    text = f"{balancer.resource.logical_id} forwards to {target.logical_id}, which nothing joins."
                    yield Hit(target, text)


_ASIDE = ("AWS::ElasticLoadBalancingV2::", "AWS::CloudWatch::", "AWS::AutoScaling::ScalingPolicy")


def _unclear(case: Case, region: str) -> bool:
    return any(
        isinstance(value, Unknown)
        for fleet in case.fleets(region)
        for value in (fleet.resource.get("TargetGroupARNs"), *fleet.resource.items("TargetGroupARNs"))
    )
