"""An alarm that tells nobody is a graph that nobody looks at."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.cfn.deployment import Resource
from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.rule import Hit, Rule, Seen

RULE = Rule(
    "alarm-without-action",
    Severity.WARNING,
    "An alarm rings and nobody is told",
    "It turns red in a console that nobody has open.",
    "Give it AlarmActions: a topic, or a scaling policy.",
    ("AWS::CloudWatch::Alarm",),
    "https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html",
)
_READERS = ("AWS::CloudWatch::CompositeAlarm", "AWS::Route53::HealthCheck", "AWS::CloudWatch::Dashboard")


def look(case: Case) -> Iterator[Seen]:
    """Alarms without actions that nothing here reads, in whatever region their template is deployed."""
    silent = [alarm.resource for alarm in case.signals.alarms if _silent(alarm.resource)]
    read = {(item.stack.template.file, item.logical_id) for item in silent if _read(case, item)}
    for item in silent:
        if (item.stack.template.file, item.logical_id) not in read:
            yield Hit(item, f"{item.logical_id} has no action, and nothing here reads it.")


def _silent(item: Resource) -> bool:
    """Whether it calls nobody, and does not say that by an empty list of its own."""
    if item.get("AlarmActions") == []:
        return False
    actions = [item.get(name) for name in ("AlarmActions", "OKActions", "InsufficientDataActions")]
    return not any(actions) or item.get("ActionsEnabled") in (False, "false")


def _read(case: Case, item: Resource) -> bool:
    """Whether something here names it, or may: rules and checks name alarms by text."""
    if case.deployment.referring(item):
        return True
    name = case.deployment.name(item)
    text = case.deployment.spelled(name) if name is not None else item.logical_id
    readers = case.deployment.of_type(*_READERS)
    return any(text in str(one.properties) or "${?}" in text for one in readers)
