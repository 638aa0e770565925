"""A part of M5: what it takes to move the primary by hand, besides the replica itself.

Reads are drained at the balancer, health checks go around the closed gate, instances are asked, fenced, released and
probed by commands, and the operators who do so have a policy for it.
"""

from __future__ import annotations

import re

from bicoastal.cfn.deployment import Resource
from bicoastal.cfn.values import Reference
from bicoastal.review.case import Case
from bicoastal.review.model.identity import glob
from bicoastal.review.model.service import Balancer, forwards
from bicoastal.review.verdict import Judgement, number, where

DOCUMENT = "AWS::SSM::Document"
_STEPS = (
    ("status", "say how they are"),
    ("fence", "stop writes on the old primary"),
    ("unfence", "allow writes on the new one"),
    ("probe", "prove that a write works"),
)


def judge_moving(case: Case, judgement: Judgement, region: str) -> None:
    """Everything that `failover` and `switchover` use in a region."""
    _in_region(case, judgement, region)
    _commands(case, judgement, region)
    _operators(case, judgement, region)
    balancer = case.balancer(region)
    if balancer is not None:
        _gate(case, judgement, balancer)


def _in_region(case: Case, judgement: Judgement, region: str) -> None:
    """Multi-AZ failover by hand: a document that reboots with failover, and a role that may."""
    for document in case.deployment.of_type(DOCUMENT, region=region):
        text = str(document.get("Content"))
        if "RebootDBInstance" in text and "ForceFailover" in text:
            role = role_of(case, document)
            if role is None:
                judgement.lacks(f"{where(document)} runs without a role of its own.")
            elif not case.identities.may(role, "rds:RebootDBInstance"):
                judgement.lacks(f"{where(role)} may not reboot the database with failover.")
            else:
                judgement.found(document, "Multi-AZ failover by hand")
            return
    judgement.lacks(f"{region} has no document that fails the database over inside the region.")


def role_of(case: Case, document: Resource) -> Resource | None:
    """The role that an automation runs as."""
    value = document.get("Content", "assumeRole")
    target = case.deployment.resource(value) if value is not None else None
    return target if target is not None and target.type == "AWS::IAM::Role" else None


def _commands(case: Case, judgement: Judgement, region: str) -> None:
    """What instances are told to do during a move."""
    texts = {
        document.logical_id: str(document.get("Content", "mainSteps"))
        for document in case.deployment.of_type(DOCUMENT, region=region)
        if document.get("DocumentType") == "Command"
    }
    for verb, what in _STEPS:
        if not any(re.search(rf"(?<![\w-]){verb}(?![\w-])", text) for text in texts.values()):
            judgement.lacks(f"{region} has no command by which instances {what}.")


def _operators(case: Case, judgement: Judgement, region: str) -> None:
    """Policies for operators, so that nobody needs to be an administrator in an incident or after it."""
    commands = [
        case.deployment.spelled(Reference(document.stack.id, document.logical_id, "Arn"))
        for document in case.deployment.of_type(DOCUMENT, region=region)
        if document.get("DocumentType") == "Command"
    ]
    moving, rejoining = [], []
    for policy in case.deployment.of_type("AWS::IAM::ManagedPolicy", region=region):
        allowed = [one for one in case.identities.document(policy, ("PolicyDocument",)) if one.effect == "Allow"]
        sends = [pattern for one in allowed if one.matches("ssm:SendCommand") for pattern in one.resources]
        updates = any(one.matches("cloudformation:ExecuteChangeSet") and "*" not in one.resources for one in allowed)
        knows = all(any(glob(pattern, arn) for pattern in sends) for arn in commands)
        if updates and sends and knows:
            moving.append(policy)
        if updates and any(one.matches("rds:CreateDBInstanceReadReplica") for one in allowed):
            rejoining.append(policy)
    for found, what in ((moving, "move the primary"), (rejoining, "rebuild the lost side as a replica")):
        if not found:
            judgement.lacks(f"{region} has no policy that lets operators {what} without being administrators.")
        for policy in found[:1]:
            judgement.found(policy, f"operators may {what}, and no more")


def _gate(case: Case, judgement: Judgement, balancer: Balancer) -> None:
    """Reads can be stopped at the balancer before a promotion, and the health check goes around the stop."""
    secure = [listener for listener in balancer.listeners if listener.get("Protocol") == "HTTPS"]
    if not secure:
        judgement.lacks(f"{where(balancer.resource)} has no HTTPS listener at which reads could be stopped.")
    for listener in secure:
        pairs = [
            (case.deployment.resource(value), number(weight)) for value, weight in forwards(listener, "DefaultActions")
        ]
        targets = [(target, weight) for target, weight in pairs if target is not None]
        serving = [target for target, weight in targets if weight]
        waiting = [target for target, weight in targets if weight == 0]
        if not serving or not waiting:
            judgement.lacks(f"{where(listener)}: reads cannot be stopped by a weight before a promotion.")
            continue
        judgement.found(listener, f"reads can be sent to {waiting[0].logical_id} by a weight", "DefaultActions")
        path = serving[0].get("HealthCheckPath")
        around = any(
            path in values
            and any(case.deployment.resource(value) is serving[0] for value, _ in forwards(rule, "Actions"))
            for rule in balancer.rules
            for index, _ in enumerate(rule.items("Conditions"))
            for values in [rule.items("Conditions", index, "PathPatternConfig", "Values")]
        )
        if not around:
            judgement.lacks(f"{where(listener)}: no rule takes {path} past the stop: a region that drains looks lost.")
