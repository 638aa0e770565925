"""Route 53's and IAM's control planes stand in us-east-1; their data planes stand everywhere."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.rule import Hit, Rule, Seen

RULE = Rule(
    "failover-needs-global-control-plane",
    Severity.WARNING,
    "A failover changes DNS records or roles through a global control plane",
    "Those APIs are in us-east-1: when it is impaired, as on 2021-12-07 for seven hours, the failover cannot be done.",
    "Let health checks decide, and move traffic by something that they look at.",
    ("AWS::SSM::Document", "AWS::Lambda::Function", "AWS::StepFunctions::StateMachine"),
    "https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/global-services.html",
)
_CALLS = re.compile(
    r"change[-_]?resource[-_]?record[-_]?sets|update[-_]?health[-_]?check|attach[-_]?role[-_]?policy|put[-_]?role[-_]?policy",
    re.IGNORECASE,
)
_MOVES = re.compile(r"promote[-_]?read|fail[-_ ]?over|switch[-_ ]?over|disaster", re.IGNORECASE)


def look(case: Case) -> Iterator[Seen]:
    """Automations that say they fail over, by the calls in their text."""
    for item in case.deployment.of_type(*RULE.types):
        text = f"{item.logical_id} {item.properties}"
        call = _CALLS.search(text)
        if call and _MOVES.search(text):
            yield Hit(item, f"{item.logical_id} calls {call[0]}.")
