"""What a role may do, from its policies, its boundary and what other resources attach to it.

Conservative in both directions: an allow under a condition counts as an allow, a deny under a condition does not
count, and AWS's managed policies are known by a short list of what they allow.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from bicoastal.cfn.deployment import Deployment, Resource
from bicoastal.cfn.values import Value

_LOGS = ("logs:PutLogEvents", "logs:CreateLogStream", "logs:CreateLogGroup")
MANAGED = {
    "AdministratorAccess": ("*",),
    "PowerUserAccess": ("*",),
    "CloudWatchFullAccess": ("cloudwatch:*", "logs:*"),
    "CloudWatchLogsFullAccess": ("logs:*",),
    "AWSLambdaBasicExecutionRole": _LOGS,
    "AWSLambdaVPCAccessExecutionRole": _LOGS,
    "AmazonEC2RoleforSSM": ("ssm:*", "ssmmessages:*", "ec2messages:*", "s3:GetObject", "s3:PutObject", *_LOGS),
    "AmazonS3ReadOnlyAccess": ("s3:Get*", "s3:List*"),
    "AmazonSSMManagedInstanceCore": ("ssm:*", "ssmmessages:*", "ec2messages:*"),
    "CloudWatchAgentServerPolicy": ("cloudwatch:PutMetricData", "logs:PutLogEvents", "logs:CreateLogStream"),
    "AWSBackupServiceRolePolicyForBackup": ("rds:CreateDBSnapshot", "backup:*", "rds:AddTagsToResource"),
    "AWSBackupServiceRolePolicyForRestores": ("rds:RestoreDBInstanceFromDBSnapshot", "rds:DeleteDBInstance"),
    "AmazonRDSEnhancedMonitoringRole": ("logs:PutLogEvents", "logs:CreateLogGroup"),
}
"""AWS's own policies, by what they allow of what is judged here; from their pages, 2026-11."""


@dataclass(frozen=True)
class Statement:
    """One statement of a policy, texts spelled out."""

    source: Resource
    path: tuple[str | int, ...]
    effect: str
    actions: tuple[str, ...]
    not_actions: tuple[str, ...]
    resources: tuple[str, ...]
    not_resources: tuple[str, ...]
    conditions: Value
    principals: tuple[str, ...]

    def matches(self, action: str, resource: str = "") -> bool:
        """Whether it speaks of an action (on a resource, where one is given)."""
        if self.actions and not any(glob(pattern, action) for pattern in self.actions):
            return False
        if self.not_actions and any(glob(pattern, action) for pattern in self.not_actions):
            return False
        if not resource:
            return True
        if self.not_resources:
            return not any(glob(pattern, resource) for pattern in self.not_resources)
        return any(glob(pattern, resource) for pattern in self.resources)


class Identities:
    """The roles and policies of a deployment."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._known: dict[int, list[Statement]] = {}

    def statements(self, role: Resource) -> list[Statement]:
        """Everything that a role is told: its own policies, managed ones, and those that attach themselves to it."""
        if id(role) not in self._known:
            self._known[id(role)] = list(self._statements(role))
        return self._known[id(role)]

    def _statements(self, role: Resource) -> Iterator[Statement]:
        for index, _ in enumerate(role.items("Policies")):
            yield from self.document(role, ("Policies", index, "PolicyDocument"))
        for index, value in enumerate(role.items("ManagedPolicyArns")):
            policy = self._deployment.resource(value)
            if policy is not None:
                yield from self.document(policy, ("PolicyDocument",))
                continue
            name = self._deployment.spelled(value).rpartition("/")[2]
            if name in MANAGED:
                path = ("ManagedPolicyArns", index)
                yield Statement(role, path, "Allow", MANAGED[name], (), ("*",), (), None, ())
        attaching = ("AWS::IAM::Policy", "AWS::IAM::RolePolicy", "AWS::IAM::ManagedPolicy")
        for policy in self._deployment.of_type(*attaching):
            roles = [*policy.items("Roles"), *policy.items("RoleName")]
            if any(self._deployment.resource(item) is role for item in roles):
                yield from self.document(policy, ("PolicyDocument",))

    def document(self, resource: Resource, path: tuple[str | int, ...]) -> Iterator[Statement]:
        """The statements of the policy document at a path."""
        for index, _ in enumerate(resource.items(*path, "Statement")):
            here = (*path, "Statement", index)
            if resource.get(*path, "Statement", index) is None:
                here = (*path, "Statement")

            def texts(name: str, here: tuple[str | int, ...] = here) -> tuple[str, ...]:
                return tuple(self._deployment.spelled(item) for item in resource.items(*here, name))

            yield Statement(
                resource,
                here,
                str(resource.get(*here, "Effect")),
                texts("Action"),
                texts("NotAction"),
                texts("Resource"),
                texts("NotResource"),
                resource.get(*here, "Condition"),
                tuple(self._principals(resource.get(*here, "Principal"))),
            )

    def _principals(self, value: Value) -> Iterator[str]:
        for item in value.values() if isinstance(value, dict) else [value]:
            for one in item if isinstance(item, list) else [item]:
                if one is not None:
                    yield self._deployment.spelled(one)

    def may(self, role: Resource, action: str, resource: str = "") -> Statement | None:
        """The statement that lets a role do something, unless an unconditional deny or its boundary forbids it."""
        told = self.statements(role)
        if any(item.effect == "Deny" and not item.conditions and item.matches(action, resource) for item in told):
            return None
        boundary = self._deployment.resource(role.get("PermissionsBoundary"))
        if boundary is not None:
            limits = list(self.document(boundary, ("PolicyDocument",)))
            if not any(item.effect == "Allow" and item.matches(action, resource) for item in limits):
                return None
        return next((item for item in told if item.effect == "Allow" and item.matches(action, resource)), None)

    def trusted(self, role: Resource) -> list[Statement]:
        """Who may take a role."""
        return list(self.document(role, ("AssumeRolePolicyDocument",)))

    def trusts(self, role: Resource, service: str) -> bool:
        """Whether a service of AWS, such as `backup.amazonaws.com`, may take a role."""
        return any(item.effect == "Allow" and service in item.principals for item in self.trusted(role))


def glob(pattern: str, text: str) -> bool:
    """IAM's wildcards: `*` and `?`; actions are compared without regard to case by giving both in one case."""
    return _pattern(pattern.lower()).fullmatch(text.lower()) is not None


@lru_cache(maxsize=4096)
def _pattern(pattern: str) -> re.Pattern[str]:
    return re.compile("".join(".*" if char == "*" else "." if char == "?" else re.escape(char) for char in pattern))
