"""A role is of no use to a service that may not take it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.rule import Hit, Path, Rule, Seen

RULE = Rule(
    "role-not-assumable",
    Severity.ERROR,
    "A role does not trust the service that is told to use it",
    "Whatever uses it fails with access denied when it is needed: functions, instances, logs, automations.",
    "Let the service take the role in its AssumeRolePolicyDocument.",
    ("AWS::IAM::Role",),
    "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html",
)
_USERS: tuple[tuple[str, Path, str], ...] = (
    ("AWS::Lambda::Function", ("Role",), "lambda.amazonaws.com"),
    ("AWS::IAM::InstanceProfile", ("Roles", 0), "ec2.amazonaws.com"),
    ("AWS::EC2::FlowLog", ("DeliverLogsPermissionArn",), "vpc-flow-logs.amazonaws.com"),
    ("AWS::RDS::DBInstance", ("MonitoringRoleArn",), "monitoring.rds.amazonaws.com"),
    ("AWS::SSM::Document", ("Content", "assumeRole"), "ssm.amazonaws.com"),
    ("AWS::Scheduler::Schedule", ("Target", "RoleArn"), "scheduler.amazonaws.com"),
    ("AWS::StepFunctions::StateMachine", ("RoleArn",), "states.amazonaws.com"),
    ("AWS::CloudTrail::Trail", ("CloudWatchLogsRoleArn",), "cloudtrail.amazonaws.com"),
)


def look(case: Case) -> Iterator[Seen]:
    """Users of roles by their type, where the role is here and its trust is known."""
    for type_, path, service in _USERS:
        for item in case.deployment.of_type(type_):
            role = case.deployment.resource(item.get(*path))
            if role is None or role.type != "AWS::IAM::Role":
                continue
            trusted = case.identities.trusted(role)
            names = [name for one in trusted if one.effect == "Allow" for name in one.principals]
            unclear = not trusted or any("${?}" in name or name == "*" for name in names)
            if not unclear and not any(_means(name, service) for name in names):
                text = f"{item.logical_id} uses {role.logical_id}, which trusts {', '.join(names) or 'nobody'}."
                yield Hit(role, text, ("AssumeRolePolicyDocument",))


def _means(principal: str, service: str) -> bool:
    """Whether a principal is a service, or the same one with a region: `states.us-east-1.amazonaws.com`."""
    name, _, domain = service.partition(".amazonaws")
    return (
        re.fullmatch(rf"{re.escape(name)}(\.[a-z]{{2}}(-[a-z]+)+-\d)?\.amazonaws{re.escape(domain)}(\.cn)?", principal)
        is not None
    )
