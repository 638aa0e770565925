"""Logs that a role may not write are lost, and with them what an incident is understood by."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.cfn.deployment import Resource
from bicoastal.cfn.values import Unknown, Value
from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.model.rights import allowed
from bicoastal.review.model.writers import agents, programs
from bicoastal.review.rule import Hit, Rule, Seen

RULE = Rule(
    "role-cannot-write-logs",
    Severity.ERROR,
    "A role may not write the logs that its bearer is told to write",
    "The agent retries and drops them: after an incident there is nothing to read.",
    "Allow logs:CreateLogStream and logs:PutLogEvents on the log group.",
    ("AWS::IAM::Role",),
    "https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/create-iam-roles-for-cloudwatch-agent.html",
)
ACTION = "logs:PutLogEvents"


def look(case: Case) -> Iterator[Seen]:
    """Agents on instances, functions, and flow logs, each with its own role."""
    for region in case.deployment.regions:
        for fleet in case.fleets(region):
            if fleet.role is not None and fleet.template is not None:
                for template, name, _ in agents(case, region):
                    if template is fleet.template:
                        yield from _judged(case, fleet.role, template, name, region)
        for item, name, _ in programs(case, region):
            role = case.deployment.resource(item.get("Role")) if item.type == "AWS::Lambda::Function" else None
            if role is not None:
                yield from _judged(case, role, item, name, region)
        for item in case.deployment.of_type("AWS::EC2::FlowLog", region=region):
            role = case.deployment.resource(item.get("DeliverLogsPermissionArn"))
            if role is not None and item.get("LogGroupName") is not None:
                yield from _judged(case, role, item, item.get("LogGroupName"), region)


def _judged(case: Case, role: Resource, writer: Resource, name: Value, region: str) -> Iterator[Seen]:
    spelled = case.deployment.spelled(name)
    if isinstance(name, Unknown) or "${?}" in spelled:
        return
    group = case.deployment.resource(name) or case.deployment.named(name, "AWS::Logs::LogGroup", region)
    arn = f"arn:aws:logs:{region}:${{AWS::AccountId}}:log-group:{spelled}:log-stream:any"
    targets = [group] if group is not None else []
    if allowed(case.deployment, case.identities, role, ACTION, arn, *targets) is False:
        text = f"{writer.logical_id} writes to {spelled}, and {role.logical_id} may not {ACTION} there."
        yield Hit(role, text, ("Policies",) if role.get("Policies") is not None else ())
