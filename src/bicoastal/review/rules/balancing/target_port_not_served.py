"""Requests to a port that nothing listens on are refused."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.rule import Hit, Rule, Seen
from bicoastal.review.verdict import number

RULE = Rule(
    "target-port-not-served",
    Severity.ERROR,
    "Requests go to a port that nothing listens on",
    "Every target stays unhealthy, and users get errors.",
    "Let the target group's port be the one that the application listens on.",
    ("AWS::ElasticLoadBalancingV2::TargetGroup",),
    "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html",
)
_PORT = re.compile(
    r"""(?:--port[ =]|\bPORT=|\blisten\s+(?:\S+:)?|[Ll]isten\(|--bind[ =]\S*:|:(?=\d{4})|\(\s*["'][^"']*["'],\s*)"""
    r"""(\d{2,5})\b"""
)
_SERVERS = re.compile(r"nginx|httpd|apache|tomcat|docker|haproxy|caddy|ansible|puppet|chef")


def look(case: Case) -> Iterator[Seen]:
    """Target groups of fleets whose user data says which ports its own programs listen on."""
    for region in case.deployment.regions:
        for fleet in case.fleets(region):
            if fleet.machine is None or fleet.machine.unreadable or _SERVERS.search(fleet.machine.everything):
                continue
            served = set(_PORT.findall(fleet.machine.everything)) - {"443", "80"}
            for target in fleet.targets:
                port = number(target.get("Port"))
                mentioned = port is not None and re.search(rf"(?<!\d){port:.0f}(?!\d)", fleet.machine.everything)
                if port is not None and served and not mentioned and target.get("TargetType") != "lambda":
                    text = f"{target.logical_id} sends to {port:.0f}, and user data listens on"
                    text += f" {', '.join(sorted(served))}."
                    yield Hit(target, text, ("Port",))
