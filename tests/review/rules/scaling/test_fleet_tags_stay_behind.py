"""A group's tags reach its instances only if they are told to."""

from __future__ import annotations

from tests.support.findings import said
from tests.support.pieces import BALANCER, FLEET, VPC

RULE = "fleet-tags-stay-behind"


def test_not_propagated() -> None:
    (text,) = said(
        RULE,
        (VPC + BALANCER + FLEET).replace(
            "MinSize: 2", "MinSize: 2\n    Tags: [{Key: team, Value: a, PropagateAtLaunch: false}]"
        ),
    )
    assert text.startswith("warning: The tag team of Fleet stays on the group.")


def test_the_launch_template_gives_it_instead() -> None:
    assert (
        said(
            RULE,
            (VPC + BALANCER + FLEET)
            .replace("MinSize: 2", "MinSize: 2\n    Tags: [{Key: team, Value: a, PropagateAtLaunch: false}]")
            .replace(
                "    LaunchTemplateData:\n",
                "    LaunchTemplateData:\n      TagSpecifications: [{ResourceType: instance, Tags: [{Key: team}]}]\n",
            ),
        )
        == []
    )
