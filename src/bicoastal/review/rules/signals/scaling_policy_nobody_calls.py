"""A step policy acts when an alarm calls it, and not otherwise."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.rule import Hit, Rule, Seen

RULE = Rule(
    "scaling-policy-nobody-calls",
    Severity.ERROR,
    "A scaling policy is called by no alarm",
    "The fleet does not grow under load.",
    "Name the policy in the AlarmActions of the alarm that should call it.",
    ("AWS::AutoScaling::ScalingPolicy",),
    "https://docs.aws.amazon.com/autoscaling/ec2/userguide/as-scaling-simple-step.html",
)


def look(case: Case) -> Iterator[Seen]:
    """Step and simple policies that no alarm here names."""
    for item in case.deployment.of_type("AWS::AutoScaling::ScalingPolicy"):
        kind = item.get("PolicyType", default="SimpleScaling")
        if kind not in ("StepScaling", "SimpleScaling"):
            continue
        callers = [alarm for alarm in case.signals.alarms if item in map(case.deployment.resource, alarm.actions)]
        named = case.deployment.referring(item)
        exported = any(case.deployment.leads_to(item.stack.output(name), item) for name in item.stack.evaluator.outputs)
        if not callers and not named and not exported:
            yield Hit(item, f"No alarm's action is {item.logical_id}.")
