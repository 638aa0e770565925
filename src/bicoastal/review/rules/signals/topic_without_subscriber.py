"""A topic that nobody subscribed to is a letter box without an owner."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.rule import Hit, Rule, Seen

RULE = Rule(
    "topic-without-subscriber",
    Severity.WARNING,
    "Alarms go to a topic that nobody subscribed to",
    "Everything rings, and nobody hears it.",
    "Add a subscription, or say in a suppression who subscribes by hand.",
    ("AWS::SNS::Topic",),
    "https://docs.aws.amazon.com/sns/latest/dg/sns-create-subscribe-endpoint-to-topic.html",
)


def look(case: Case) -> Iterator[Seen]:
    """Topics that alarms name, and that neither they nor a resource beside them subscribes anybody to."""
    for topic in case.deployment.of_type("AWS::SNS::Topic"):
        if topic.get("Subscription") is not None:
            continue
        called = any(
            case.deployment.resource(action) is topic for alarm in case.signals.alarms for action in alarm.actions
        )
        users = [item for item in case.deployment.referring(topic) if item.type in _LISTENERS]
        exported = any(
            case.deployment.leads_to(topic.stack.output(name), topic) for name in topic.stack.evaluator.outputs
        )
        if called and not users and not exported:
            yield Hit(topic, f"Nobody is subscribed to {topic.logical_id}.")


_LISTENERS = ("AWS::SNS::Subscription", "AWS::Lambda::Permission", "AWS::Chatbot::SlackChannelConfiguration")
