"""The access stack, composed: each part in a module of its own, in the order in which they need each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bicoastal.blueprint.access.break_glass import add_break_glass
from bicoastal.blueprint.access.operations import add_operations
from bicoastal.blueprint.access.operator import add_operator_policies
from bicoastal.blueprint.access.responder import add_responder_role, add_session_document
from bicoastal.blueprint.access.roles import add_instance_role
from bicoastal.blueprint.access.trail import add_log_group, add_trail
from bicoastal.blueprint.foundation import Foundation
from bicoastal.blueprint.grants import Grant
from bicoastal.blueprint.stack import Output, Stack
from bicoastal.blueprint.telemetry import session_log
from bicoastal.spec.model import Spec


@dataclass(frozen=True)
class Access:
    """What other concerns take: the profile of the fleet, and the names that `deploy` and operators start things by."""

    stack: Stack
    instance_profile_arn: Output
    instance_role_arn: Output
    responder_role_arn: Output
    operator_policy_arn: Output
    rejoin_policy_arn: Output
    restorer_policy_arn: Output
    open_access_document: Output
    close_access_document: Output
    session_document: Output
    failover_document: Output
    kit_status_document: Output
    session_log_name: Output
    trail_arn: Output


def access(spec: Spec, foundation: Foundation, grants: Sequence[Grant]) -> Access:
    """Roles, documents and the trail, in both regions. `grants` are the fleet's, from the owners of what it uses."""
    stack = Stack(spec, "access", "Roles, emergency access, operators' documents, and the trail of who did what")
    role, profile = add_instance_role(stack, foundation, grants)
    sessions = add_log_group(stack, foundation, "SessionLog", session_log(spec))
    session_document = add_session_document(stack, sessions)
    glass = add_break_glass(stack, foundation)
    responder = add_responder_role(stack, foundation, glass)
    operations = add_operations(stack, foundation)
    policies = add_operator_policies(stack, foundation, operations)
    if policies.failover_tags is not None:
        stack.output(
            "FailoverTagsPolicyArn", policies.failover_tags.ref, "Attach it beside the operator's: it overrides tags"
        )
    trail = add_trail(stack, foundation)
    return Access(
        stack=stack,
        instance_profile_arn=stack.output("InstanceProfileArn", profile.att("Arn"), "Instance profile of the fleet"),
        instance_role_arn=stack.output("InstanceRoleArn", role.att("Arn"), "Role of the fleet's instances"),
        responder_role_arn=stack.output(
            "ResponderRoleArn", responder.att("Arn"), "Assumed with MFA to ask for emergency access"
        ),
        operator_policy_arn=stack.output(
            "OperatorPolicyArn", policies.operator.ref, "Attach it to whoever runs failover and switchover"
        ),
        rejoin_policy_arn=stack.output(
            "RejoinPolicyArn", policies.rejoin.ref, "Attach it beside the operator's to whoever runs rejoin"
        ),
        restorer_policy_arn=stack.output(
            "RestorerPolicyArn", policies.restorer.ref, "Attach it beside the operator's to whoever restores backups"
        ),
        open_access_document=stack.output("OpenAccessDocument", glass.open_document.ref, "Opens an instance"),
        close_access_document=stack.output("CloseAccessDocument", glass.close_document.ref, "Closes an instance"),
        session_document=stack.output("SessionDocument", session_document.ref, "The responders' session document"),
        failover_document=stack.output(
            "InRegionFailoverDocument", operations.failover.ref, "Fails the database over to its Multi-AZ standby"
        ),
        kit_status_document=stack.output("KitStatusDocument", operations.kit_status.ref, "Runs the kit's status"),
        session_log_name=stack.output("SessionLogName", sessions.ref, "Log group of emergency sessions"),
        trail_arn=stack.output("TrailArn", trail.trail.att("Arn"), "This region's trail"),
    )
