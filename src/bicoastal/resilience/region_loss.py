"""How long users wait when a region is lost, from the deployment's own values: traffic by DNS, writes by a promotion.

    reads    the checks notice, then the answers that resolvers keep run out (design D4, D6)
    writes   the operator's command: the guard, drained reads, the lost side's own fence, the promotion; and no sooner
             than its users have arrived

Two sums of it: on AWS, with the durations that AWS publishes, and at the pace of a twin, where clocks of templates run
faster and what is no clock (a promotion, a call) is measured instead and not predicted.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from bicoastal.cfn.deployment import Deployment, Resource
from bicoastal.resilience.figures import Figure, later, total

ALIAS_TTL = Figure(
    "DNS answers run out", 0, 60, "Route 53 Developer Guide: an alias to a load balancer has a TTL of 60 s (2025-11)"
)
PROBE_TIMEOUT_S = 4.0
"""Route 53 Developer Guide: a checker waits 4 s for a TCP connection (2025-11)."""
PROMOTION = Figure(
    "promotion",
    180,
    None,
    'RDS User Guide: promoting a read replica takes "a few minutes", longer by size (2025-11): 3 min at least',
)
HANDLER = Figure(
    "CloudFormation follows it",
    60,
    120,
    "resource handler AWS::RDS::DBInstance (2025-07): polls every 30 s, modifies once after a promotion; an estimate",
)
FRESH_S = 5.0
"""A heartbeat of that age still says that the primary lives: the guard refuses until it is older."""


@dataclass(frozen=True)
class Values:
    """What the deployment says about the loss of one region."""

    detection: Figure
    ttl: Figure
    keep_alive: Figure | None
    """None where the balancer's attributes don't say."""
    witness_ttl: Figure
    isolation: Figure
    drain: Figure


@dataclass(frozen=True)
class Prediction:
    """A sum, and all that it is made of."""

    where: str
    """`AWS`, or the twin and its pace."""
    reads: Figure
    writes: Figure
    figures: tuple[Figure, ...]
    without: str = ""
    """What is not in `writes`."""


def values_of(
    deployment: Deployment, lost: str, *, isolation_s: float, drain_s: float, black_hole: bool = False
) -> Values | None:
    """Read them for the loss of a region; None where no health check of its load balancer can be found.

    `isolation_s` is the instance kit's: no template writes it. `drain_s` is the operator's choice.
    """
    check = _check_of(deployment, lost)
    if check is None:
        return None
    interval = _seconds(check.get("HealthCheckConfig", "RequestInterval"), 30)
    threshold = _seconds(check.get("HealthCheckConfig", "FailureThreshold"), 3)
    timeout = PROBE_TIMEOUT_S if black_hole else 0.0
    where = f"{check.stack.template.file}: {check.logical_id}"
    witness = _witness(deployment, lost)
    return Values(
        detection=Figure(
            "health checks notice",
            interval * (threshold - 1) + timeout,
            interval * threshold + timeout,
            f"{where}: RequestInterval {interval:g} s x FailureThreshold {threshold:g}"
            + (f", and {timeout:g} s for a probe without an answer" if timeout else ""),
        ),
        ttl=ALIAS_TTL,
        keep_alive=_keep_alive(deployment, lost),
        witness_ttl=Figure("the witness's last answer runs out", *witness),
        isolation=Figure(
            "the lost primary fences itself",
            isolation_s,
            isolation_s,
            "the instance kit: intervals.isolation (docs/kit.md)",
        ),
        drain=Figure("reads there end", 0, drain_s, "bicoastal failover --drain"),
    )


def on_aws(values: Values) -> Prediction:
    """With the durations that AWS publishes."""
    reads = total("reads", (values.detection, values.ttl))
    until_cut_off = _cut_off(values)
    writes = later("writes", reads, total("the operator's path", (until_cut_off, PROMOTION, HANDLER)))
    return Prediction("AWS", reads, writes, (*_figures(values), until_cut_off, PROMOTION, HANDLER),
                      "the time until somebody types the command")  # fmt: skip


def on_twin(values: Values, pace: str, factor: float, *, patience_s: float = 0.0) -> Prediction:
    """At a twin's pace. `patience_s`: what a user waits for a region that answers nothing."""
    detection = values.detection.divided(factor)
    ttl = Figure(
        values.ttl.name, 0, math.ceil((values.ttl.most or 0.0) / factor), f"{values.ttl.source}; whole seconds"
    )
    patience = Figure("a user gives up on an answer", 0, patience_s, "the drill's users")
    parts = (detection, ttl, *([patience] if patience_s else []))
    reads = total("reads", parts)
    cut_off = _cut_off(values).divided(factor)
    writes = later("writes", reads, cut_off)
    return Prediction(
        f"twin, pace {pace}",
        reads,
        writes,
        (*parts, cut_off),
        "calls and the promotion: no template says how long they take",
    )


def _cut_off(values: Values) -> Figure:
    """When the path may promote, from the last heartbeat on: both waits run from the fault, beside each other."""
    asked = FRESH_S + (values.drain.most or 0.0)
    fenced = (values.isolation.most or 0.0) + (values.witness_ttl.most or 0.0)
    return Figure(
        "nothing writes or reads elsewhere",
        fenced,
        max(asked, fenced),
        f"the later of {FRESH_S:g} s of silence + drain, and isolation + the witness's TTL",
    )


def _figures(values: Values) -> tuple[Figure, ...]:
    known = (values.detection, values.ttl, values.keep_alive, values.drain, values.isolation, values.witness_ttl)
    return tuple(figure for figure in known if figure is not None)


def _check_of(deployment: Deployment, region: str) -> Resource | None:
    """The health check that asks the region's load balancer whether it serves; the slowest of several."""
    found = [
        check
        for check in deployment.of_type("AWS::Route53::HealthCheck")
        if check.get("HealthCheckConfig", "Inverted") is not True
        and _leads_to_balancer(deployment, check.get("HealthCheckConfig", "FullyQualifiedDomainName"), region)
    ]
    return max(found, key=lambda check: _seconds(check.get("HealthCheckConfig", "RequestInterval"), 30), default=None)


def _leads_to_balancer(deployment: Deployment, value: object, region: str) -> bool:
    return any(
        target.type == "AWS::ElasticLoadBalancingV2::LoadBalancer" and target.region == region
        for target in deployment.mentioned(value)
    )


def _witness(deployment: Deployment, region: str) -> tuple[float, float, str]:
    """Least, most and source of the TTL of the region's witness; nothing to wait for where there is none."""
    for record in deployment.of_type("AWS::Route53::RecordSet"):
        name = record.get("Name")
        if record.get("Type") == "TXT" and isinstance(name, str) and name.startswith(f"witness.{region}."):
            ttl = _seconds(record.get("TTL"), 0)
            return 0, ttl, f"{record.stack.template.file}: {record.logical_id}.TTL"
    return 0, 0, "no template has a witness"


def _keep_alive(deployment: Deployment, region: str) -> Figure | None:
    for balancer in deployment.of_type("AWS::ElasticLoadBalancingV2::LoadBalancer", region=region):
        for attribute in balancer.items("LoadBalancerAttributes"):
            if isinstance(attribute, dict) and attribute.get("Key") == "client_keep_alive.seconds":
                seconds = _seconds(attribute.get("Value"), 3600)
                where = f"{balancer.stack.template.file}: {balancer.logical_id}: client_keep_alive.seconds"
                return Figure("a kept connection to a region that returned ends", 0, seconds, where)
    return None


def _seconds(value: object, default: float) -> float:
    """A number, as a number or as text; AWS's default where it is left out."""
    try:
        return float(value) if isinstance(value, int | float | str) else default
    except ValueError:
        return default


def sources(predictions: Iterable[Prediction]) -> list[str]:
    """Each figure with its source, once."""
    return list(
        dict.fromkeys(f"{figure.name}: {figure} ({figure.source})" for one in predictions for figure in one.figures)
    )
