"""The tag that opens an instance to responders, and the statements that keep everybody else from setting it (D17).

Whoever can tag an instance with this key can open it. CloudFormation reaches the roles that we create (by their
boundary); the organization's SCP reaches everybody else. Neither binds AWS's service-linked roles or, for an SCP, the
management account; nothing can bind the account's root user but an SCP.
"""

from __future__ import annotations

from typing import Final

from bicoastal.blueprint.grants import deny
from bicoastal.cfn.intrinsics import Value
from bicoastal.spec.model import Spec

EMERGENCY_TAG: Final = "bicoastal:emergency-access"
"""Its value is the execution that opened the instance: from the instance to who asked, when and why in one step."""

ROLE_PREFIX: Final = "break-glass-"
"""What follows the deployment's prefix in the names of the roles that may set and remove the tag."""


def deny_emergency_tag(spec: Spec) -> list[Value]:
    """Deny statements, for a boundary or an SCP: nobody but the break-glass roles touches the tag's key.

    Fleets are named too: a tag of an Auto Scaling group may propagate to the instances that it launches.
    """
    ours = f"arn:aws:iam::*:role/{spec.prefix}-{ROLE_PREFIX}*"
    condition: dict[str, dict[str, Value]] = {
        "ForAnyValue:StringEquals": {"aws:TagKeys": [EMERGENCY_TAG]},
        "ArnNotLike": {"aws:PrincipalArn": ours},
    }
    actions = ("ec2:CreateTags", "ec2:DeleteTags", "autoscaling:CreateOrUpdateTags", "ssm:AddTagsToResource")
    return [deny("OnlyBreakGlassTagsForEmergencies", actions, ["*"], condition)]
