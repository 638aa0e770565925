"""An alarm calls topics and policies of its own region only."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.rule import Hit, Rule, Seen

RULE = Rule(
    "alarm-action-in-other-region",
    Severity.ERROR,
    "An alarm's action stands in another region",
    "The alarm cannot be created, or its call goes nowhere.",
    "Give it a topic or a policy of its own region.",
    ("AWS::CloudWatch::Alarm",),
    "https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html",
)
_REGION = re.compile(r"arn:aws[\w-]*:(?:sns|autoscaling|ssm|ssm-incidents):([a-z0-9-]+):")


def look(case: Case) -> Iterator[Seen]:
    """Actions by their resource, or by the region in their ARN."""
    for alarm in case.signals.alarms:
        item = alarm.resource
        for name in ("AlarmActions", "OKActions", "InsufficientDataActions"):
            for index, value in enumerate(item.items(name)):
                target = case.deployment.resource(value)
                match = _REGION.match(case.deployment.spelled(value))
                region = target.region if target is not None else match[1] if match else item.region
                if region != item.region:
                    text = f"{item.logical_id} of {item.region} calls something of {region}."
                    yield Hit(item, text, (name, index))
