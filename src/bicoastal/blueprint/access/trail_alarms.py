"""What of the trail somebody must hear about: emergency access, the root user, changes to the trail itself.

Twice each: an event rule tells who did it within seconds, and an alarm counts it in the trail's log, which stays when
a rule is gone. Read-only calls never reach event rules: those of root are counted only.
"""

from __future__ import annotations

from dataclasses import dataclass

from bicoastal.blueprint.access.break_glass import close_document_name, open_document_name
from bicoastal.blueprint.access.responder import session_document_name
from bicoastal.blueprint.foundation import Foundation
from bicoastal.blueprint.stack import Resource, Stack
from bicoastal.blueprint.telemetry import security_namespace
from bicoastal.cfn.intrinsics import Value, sub


@dataclass(frozen=True)
class Watch:
    """Something rare: the pattern in the trail's log that counts it, and the event pattern that tells of it at once."""

    name: str
    """UpperCamelCase; begins logical ids and names the metric."""
    text: str
    """What happened, for the message and the alarm's description."""
    filter_pattern: str
    event_pattern: Value


def add_trail_alarms(stack: Stack, foundation: Foundation, log_group: Resource) -> None:
    """A metric filter, an alarm and an event rule for each thing to watch, and a rule for documents that failed."""
    for watch in (_emergency_access(stack), _root_use(), _trail_change()):
        _count(stack, foundation, watch, log_group)
        _tell(stack, foundation, watch.name, text=watch.text, pattern=watch.event_pattern, fields=_WHO)
    _tell(
        stack,
        foundation,
        "EmergencyAccessNotClosed",
        text="A document that opens or closes an instance to responders did not end well: close the instance by hand",
        pattern={
            "source": ["aws.ssm"],
            "detail-type": ["EC2 Automation Execution Status-change Notification"],
            "detail": {
                "Definition": [open_document_name(stack), close_document_name(stack)],
                "Status": ["Failed", "TimedOut", "Cancelled"],
            },
        },
        fields={"what": "$.detail.Definition", "result": "$.detail.Status", "execution": "$.detail.ExecutionId"},
    )


_WHO = {
    "who": "$.detail.userIdentity.arn",
    "what": "$.detail.eventName",
    "from": "$.detail.sourceIPAddress",
    "result": "$.detail.errorCode",
}


def _emergency_access(stack: Stack) -> Watch:
    documents = [open_document_name(stack), close_document_name(stack), session_document_name(stack.spec)]
    names = " || ".join(f'($.requestParameters.documentName = "*{document}")' for document in documents)
    return Watch(
        "EmergencyAccess",
        "Emergency access was used or tried",
        f'{{ ($.eventSource = "ssm.amazonaws.com") && (($.eventName = "StartSession") || ({names})) }}',
        {
            "source": ["aws.ssm"],
            "detail-type": ["AWS API Call via CloudTrail"],
            "detail": {
                "$or": [
                    {"eventName": ["StartSession"]},
                    {
                        "eventName": ["StartAutomationExecution"],
                        "requestParameters": {"documentName": [{"suffix": document} for document in documents[:2]]},
                    },
                ]
            },
        },
    )


def _root_use() -> Watch:
    return Watch(
        "RootUse",
        "The account's root user was used",
        '{ ($.userIdentity.type = "Root") && ($.userIdentity.invokedBy NOT EXISTS) '
        '&& ($.eventType != "AwsServiceEvent") }',
        {
            "detail-type": ["AWS API Call via CloudTrail", "AWS Console Sign In via CloudTrail"],
            "detail": {"userIdentity": {"type": ["Root"], "invokedBy": [{"exists": False}]}},
        },
    )


def _trail_change() -> Watch:
    calls = ("StopLogging", "DeleteTrail", "UpdateTrail", "PutEventSelectors")
    names = " || ".join(f'($.eventName = "{call}")' for call in calls)
    return Watch(
        "TrailChange",
        "A trail was stopped, deleted or changed",
        f'{{ ($.eventSource = "cloudtrail.amazonaws.com") && ({names}) }}',
        {
            "source": ["aws.cloudtrail"],
            "detail-type": ["AWS API Call via CloudTrail"],
            "detail": {"eventSource": ["cloudtrail.amazonaws.com"], "eventName": list(calls)},
        },
    )


def _count(stack: Stack, foundation: Foundation, watch: Watch, log_group: Resource) -> None:
    namespace = security_namespace(stack.spec)
    stack.add(
        f"{watch.name}Count",
        "AWS::Logs::MetricFilter",
        {
            "LogGroupName": log_group.ref,
            "FilterPattern": watch.filter_pattern,
            "MetricTransformations": [
                {"MetricNamespace": namespace, "MetricName": watch.name, "MetricValue": "1", "DefaultValue": 0}
            ],
        },
    )
    stack.add(
        f"{watch.name}Alarm",
        "AWS::CloudWatch::Alarm",
        {
            "AlarmName": sub(f"{stack.spec.prefix}-{_words(watch.name, '-')}-${{AWS::Region}}"),
            "AlarmDescription": f"{watch.text}. Who and from where: the message of the event rule, or the trail.",
            "Namespace": namespace,
            "MetricName": watch.name,
            "Statistic": "Sum",
            "Period": 300,
            "EvaluationPeriods": 1,
            "Threshold": 1,
            "ComparisonOperator": "GreaterThanOrEqualToThreshold",
            "TreatMissingData": "notBreaching",
            "AlarmActions": [stack.input(foundation.alert_topic_arn)],
        },
    )


def _tell(
    stack: Stack, foundation: Foundation, name: str, *, text: str, pattern: Value, fields: dict[str, str]
) -> None:
    paths = {**fields, "region": "$.region", "time": "$.time"}
    message = f"{stack.spec.prefix}: {text}. " + ", ".join(f"{field}=<{field}>" for field in paths)
    stack.add(
        f"{name}Rule",
        "AWS::Events::Rule",
        {
            "Name": f"{stack.spec.prefix}-{_words(name, '-')}",
            "Description": f"{text}.",
            "EventPattern": pattern,
            "State": "ENABLED",
            "Targets": [
                {
                    "Id": "alerts",
                    "Arn": stack.input(foundation.alert_topic_arn),
                    "InputTransformer": {"InputPathsMap": paths, "InputTemplate": f'"{message}"'},
                }
            ],
        },
    )


def _words(name: str, delimiter: str) -> str:
    return "".join(f"{delimiter}{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip(delimiter)
