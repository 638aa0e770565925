"""What the operations' calls must be allowed to do: each balancer's part, rule of a group and fleet, with its tags."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from bicoastal.twin.cloud import emulator
from bicoastal.twin.cloud.rights import Check, Request, ec2_tags, tag_keys

Json = Any


def _balancing(name: str) -> Callable[[Request], Sequence[Check]]:
    def rule(request: Request) -> Sequence[Check]:
        arn = str(request.data.get(name) or "")
        tags = {tag["Key"]: str(tag.get("Value", "")) for tag in emulator.store("alb", "_tags").get(arn) or ()}
        return [Check(arn or "*", tag_keys("aws:ResourceTag", tags))]

    return rule


def _fleet(request: Request) -> Sequence[Check]:
    name = str(request.data.get("AutoScalingGroupName") or "")
    tags = {tag["Key"]: str(tag.get("Value", "")) for tag in emulator.store("autoscaling", "_tags").get(name) or ()}
    resource = f"autoScalingGroup:*:autoScalingGroupName/{name}"
    return [Check(request.arn("autoscaling", resource), tag_keys("aws:ResourceTag", tags))]


def _group_rules(request: Request) -> Sequence[Check]:
    """The group bears tags; its rules bear none."""
    group = str(request.data.get("GroupId") or "")
    return [
        Check(request.arn("ec2", f"security-group/{group}"), tag_keys("aws:ResourceTag", ec2_tags(group))),
        Check(request.arn("ec2", "security-group-rule/*")),
    ]


def _health_check(request: Request) -> Sequence[Check]:
    """Route 53 names it in the path."""
    _, found, rest = request.path.partition("healthcheck/")
    return [Check(f"arn:aws:route53:::healthcheck/{rest.split('/')[0] if found else '*'}")]


RIGHTS = {
    "elasticloadbalancing:ModifyListener": _balancing("ListenerArn"),
    "elasticloadbalancing:ModifyListenerAttributes": _balancing("ListenerArn"),
    "elasticloadbalancing:ModifyRule": _balancing("RuleArn"),
    "autoscaling:UpdateAutoScalingGroup": _fleet,
    "ec2:ModifySecurityGroupRules": _group_rules,
    "route53:GetHealthCheck": _health_check,
    "route53:GetHealthCheckStatus": _health_check,
    "route53:UpdateHealthCheck": _health_check,
}
