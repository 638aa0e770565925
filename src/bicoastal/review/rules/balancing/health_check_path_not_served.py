"""A health check on a path that nothing serves finds every instance sick."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bicoastal.cfn.deployment import Resource
from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.model.machine import Machine
from bicoastal.review.rule import Hit, Rule, Seen

RULE = Rule(
    "health-check-path-not-served",
    Severity.ERROR,
    "A health check asks for a path that nothing serves",
    "Every instance is replaced again and again, and a balancer without healthy targets sends users to all or none.",
    "Ask for a path that the application answers with 200.",
    ("AWS::ElasticLoadBalancingV2::TargetGroup",),
    "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html",
)
_PREFIX = re.compile(r"^\s*location\s+(?:\^~\s*)?(/[^\s{]*)", re.MULTILINE)
_EXACT = re.compile(
    r"^\s*location\s+=\s*(/[^\s{]*)"
    r"""|(?<![A-Za-z_])(?:route|get|path|Path|url|uri|handle|Handle|HandleFunc|PATH_INFO)\W[^"'\n]{0,24}["'](/[\w./-]*)["']""",
    re.MULTILINE,
)


def look(case: Case) -> Iterator[Seen]:
    """Target groups of fleets whose whole server is in their user data, or whose spec names the path."""
    for region in case.deployment.regions:
        for fleet in case.fleets(region):
            if fleet.machine is None or fleet.machine.unreadable:
                continue
            for target in fleet.targets:
                yield from _judged(case, target, fleet.machine)


def _judged(case: Case, target: Resource, machine: Machine) -> Iterator[Seen]:
    path = target.get("HealthCheckPath", default="/")
    protocol = target.get("HealthCheckProtocol", default=target.get("Protocol"))
    if not isinstance(path, str) or protocol not in ("HTTP", "HTTPS"):
        return
    path = path.partition("?")[0]
    asked = case.demand.health_path
    if asked:
        # The specification says what the application serves; the rest is served by what user data installs.
        if path != asked and not path.startswith("/.well-known/") and path not in machine.everything:
            yield _hit(target, path, f"the application serves {asked}")
        return
    exact = {one or other for one, other in _EXACT.findall(machine.everything)}
    prefixes = set(_PREFIX.findall(machine.everything))
    served = exact | prefixes
    if served and path not in exact and not any(path.startswith(prefix) for prefix in prefixes):
        yield _hit(target, path, f"user data serves {', '.join(sorted(served)[:4])}")


def _hit(target: Resource, path: str, instead: str) -> Hit:
    return Hit(target, f"{target.logical_id} asks for {path}, and {instead}.", ("HealthCheckPath",))
