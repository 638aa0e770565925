"""A group's tags reach its instances only if they are told to."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.rule import Hit, Rule, Seen
from bicoastal.review.verdict import same

RULE = Rule(
    "fleet-tags-stay-behind",
    Severity.WARNING,
    "A fleet's tags are not put on its instances",
    "Costs, and policies that go by tags, miss the instances.",
    "Set PropagateAtLaunch to true.",
    ("AWS::AutoScaling::AutoScalingGroup",),
    "https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-tagging.html",
)


def look(case: Case) -> Iterator[Seen]:
    """Tags with the flag off, which the launch template does not give instead."""
    for region in case.deployment.regions:
        for fleet in case.fleets(region):
            given = (
                {
                    str(tag.get("Key"))
                    for index, spec in enumerate(fleet.template.items("LaunchTemplateData", "TagSpecifications"))
                    if isinstance(spec, dict) and spec.get("ResourceType") == "instance"
                    for tag in fleet.template.items("LaunchTemplateData", "TagSpecifications", index, "Tags")
                    if isinstance(tag, dict)
                }
                if fleet.template is not None
                else set()
            )
            for index, tag in enumerate(fleet.resource.items("Tags")):
                if isinstance(tag, dict) and same(tag.get("PropagateAtLaunch"), False) and tag.get("Key") not in given:
                    text = f"The tag {tag.get('Key')} of {fleet.resource.logical_id} stays on the group."
                    yield Hit(fleet.resource, text, ("Tags", index, "PropagateAtLaunch"))
