"""What moves the database must not stand where the database was lost."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.rule import Hit, Rule, Seen

RULE = Rule(
    "failover-needs-lost-region",
    Severity.ERROR,
    "What promotes the replica stands in the region of the primary",
    "When that region is lost, the automation that should save you is lost with it.",
    "Deploy it in the replica's region, or in both.",
    ("AWS::SSM::Document", "AWS::Lambda::Function", "AWS::StepFunctions::StateMachine"),
    "https://docs.aws.amazon.com/wellarchitected/latest/reliability-"
    "pillar/rel_withstand_component_failures_static_stability.html",
)
_PROMOTES = re.compile(
    r"promote[-_]?read[-_]?replica|failover[-_]?global[-_]?cluster|switchover[-_]?global", re.IGNORECASE
)


def look(case: Case) -> Iterator[Seen]:
    """Automations that promote, in regions without a replica of another one, while a region with one has none."""
    here = [item for item in case.deployment.of_type(*RULE.types) if _PROMOTES.search(str(item.properties))]
    standby = {
        item.region
        for item in case.deployment.of_type("AWS::RDS::DBInstance")
        if (source := case.source(item)) is not None and source.region != item.region
    }
    if not standby or any(item.region in standby for item in here):
        return
    for item in here:
        text = f"{item.logical_id} stands in {item.region}, and the replica in {', '.join(sorted(standby))}."
        yield Hit(item, text)
