"""Whether a role may do something, with a third answer: that its policies are not all to be read here."""

from __future__ import annotations

import re

from bicoastal.cfn.deployment import Deployment, Resource
from bicoastal.review.model.identity import MANAGED, Identities, glob

_ACCOUNT = re.compile(r"(?<=:)\d{12}(?=:)")
_POLICIES = ("AWS::IAM::ManagedPolicy", "AWS::IAM::Policy", "AWS::IAM::RolePolicy")


def unread(deployment: Deployment, role: Resource) -> str:
    """The first policy of a role that is not among these templates, and not one of AWS's that is known; or empty."""
    if role.type != "AWS::IAM::Role":
        return f"{role.logical_id} is not a role"
    for value in role.items("ManagedPolicyArns"):
        policy = deployment.resource(value)
        spelled = deployment.spelled(value)
        if (policy is None or policy.type not in _POLICIES) and spelled.rpartition("/")[2] not in MANAGED:
            return spelled
    if role.items("ManagedPolicyArns") == [] and role.get("ManagedPolicyArns") not in (None, []):
        return "the list of its managed policies"
    return ""


def allowed(
    deployment: Deployment, identities: Identities, role: Resource, action: str, arn: str = "", *targets: Resource
) -> bool | None:
    """Whether a role may do an action on something, given by its ARN and, where it is here, as a resource.

    None where a policy cannot be read, or speaks of what only AWS will name. Conditions are taken for met.
    """
    wanted, vague = _ACCOUNT.sub("${AWS::AccountId}", arn), bool(unread(deployment, role))
    told = identities.statements(role)
    if any(item.effect == "Deny" and not item.conditions and item.matches(action, wanted) for item in told):
        return False
    for item in told:
        if item.effect != "Allow" or not item.matches(action):
            continue
        if not wanted or item.not_resources:
            return True
        for pattern in item.resources:
            if glob(_ACCOUNT.sub("${AWS::AccountId}", pattern), wanted):
                return True
            vague = vague or "${?}" in pattern
        named = deployment.mentioned(item.source.get(*item.path, "Resource"))
        if any(target is one for target in targets for one in named):
            return True
    return None if vague else False
