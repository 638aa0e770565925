"""An encrypted topic takes messages only from services that may use its key."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.cfn.deployment import Resource
from bicoastal.cfn.values import Unknown
from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.rule import Hit, Rule, Seen

RULE = Rule(
    "topic-key-refuses-alarms",
    Severity.ERROR,
    "An alarm tells a topic whose key CloudWatch may not use",
    "Every message is refused, silently: the alarm rings and nobody hears it.",
    "Let cloudwatch.amazonaws.com use kms:Decrypt and kms:GenerateDataKey* in the key's policy.",
    ("AWS::SNS::Topic",),
    "https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html",
)


def look(case: Case) -> Iterator[Seen]:
    """Topics that alarms name, with a key of this deployment or with AWS's own."""
    for topic in case.deployment.of_type("AWS::SNS::Topic"):
        value = topic.get("KmsMasterKeyId")
        told = [
            alarm for alarm in case.signals.alarms if any(case.deployment.resource(a) is topic for a in alarm.actions)
        ]
        if value is None or not told:
            continue
        if case.deployment.spelled(value).endswith("alias/aws/sns"):
            text = f"{told[0].resource.logical_id} tells {topic.logical_id}, and AWS's own key lets no alarm in."
            yield Hit(topic, text, ("KmsMasterKeyId",), "Use a key of your own that lets cloudwatch.amazonaws.com in.")
            continue
        key = case.deployment.resource(value)
        if key is not None and key.type == "AWS::KMS::Key" and not _lets_in(case, key):
            text = f"{told[0].resource.logical_id} tells {topic.logical_id}, and {key.logical_id} lets no alarm in."
            yield Hit(topic, text, ("KmsMasterKeyId",))


def _lets_in(case: Case, key: Resource) -> bool:
    if isinstance(key.get("KeyPolicy"), Unknown):
        return True
    for one in case.identities.document(key, ("KeyPolicy",)):
        everybody = any("${?}" in name or name == "*" for name in one.principals)
        if one.effect == "Allow" and (everybody or "cloudwatch.amazonaws.com" in one.principals):
            return True
    return False
