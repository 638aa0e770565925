"""What CloudWatch has measured of a region: requests, errors, latency, replication lag, CPU and memory, as series.

A point that CloudWatch does not have is not there: charts show a gap, and a figure without a recent point is unknown.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bicoastal.aws.faults import aws_faults
from bicoastal.aws.session import Session
from bicoastal.operate.observe import FLEET
from bicoastal.operate.subject import Subject

REQUESTS, ERRORS, LATENCY, LAG = "requests", "errors", "latency", "lag"
Series = Sequence[tuple[float, float]]
"""Seconds since the epoch and a value, oldest first."""


@dataclass(frozen=True)
class Clock:
    """How often CloudWatch has something new, and how it is asked."""

    step_s: float = 60.0
    """Between two points."""
    period_s: int = 60
    """Of a query: 1, 5, 10, 30 or a multiple of 60."""
    window_s: float = 3600.0
    """How far back a chart goes."""


@dataclass(frozen=True)
class Figures:
    """Of a region."""

    at: float
    series: Mapping[str, Series]
    """`requests` and `errors` a second, `latency` and `lag` in seconds."""
    cpu: Mapping[str, float]
    """Percent, by instance; one that has no recent point is not in it."""
    memory: float | None
    """Percent, of the whole fleet: the agent tells no more (design D16)."""
    connections: float | None
    """Sessions of the database."""


def figures(
    session: Session,
    subject: Subject,
    region: str,
    clock: Clock,
    *,
    balancer: str,
    database: str,
    hosts: Sequence[str],
) -> Figures:
    """What was measured within the window. `balancer` is an ARN. Raises SystemFault."""
    now = time.time()
    own = f"Bicoastal/{subject.prefix}"
    group = {"AutoScalingGroupName": f"{subject.prefix}-{FLEET.lower()}"}
    lb = {"LoadBalancer": balancer.partition("loadbalancer/")[2]}
    wanted: dict[str, tuple[str, str, Mapping[str, str], str]] = {
        "lag": (own, "HeartbeatAge", group, "Maximum"),
        "memory": (own, "mem_used_percent", group, "Average"),
    }
    if balancer:
        wanted |= {
            "requests": ("AWS/ApplicationELB", "RequestCount", lb, "Sum"),
            "target_errors": ("AWS/ApplicationELB", "HTTPCode_Target_5XX_Count", lb, "Sum"),
            "own_errors": ("AWS/ApplicationELB", "HTTPCode_ELB_5XX_Count", lb, "Sum"),
            "latency": ("AWS/ApplicationELB", "TargetResponseTime", lb, "Average"),
        }
    if database:
        name = {"DBInstanceIdentifier": database}
        wanted["connections"] = ("AWS/RDS", "DatabaseConnections", name, "Average")
    for index, host in enumerate(hosts):
        wanted[f"cpu{index}"] = ("AWS/EC2", "CPUUtilization", {"InstanceId": host}, "Average")
    found = _ask(session, region, clock, wanted, now)
    recent = now - 3 * clock.step_s
    requests = found.get("requests", [])
    errors = _sum(found.get("target_errors", []), found.get("own_errors", []))
    zeros = dict.fromkeys((at for at, _ in requests), 0.0)
    # CloudWatch publishes an error count only where there was one: with requests and without it there was none.
    errors = sorted({**zeros, **dict(errors)}.items())
    return Figures(
        now,
        {
            REQUESTS: _rate(requests, clock.step_s),
            ERRORS: _rate(errors, clock.step_s),
            LATENCY: found.get("latency", []),
            LAG: found.get("lag", []),
        },
        {host: value for index, host in enumerate(hosts)
         if (value := _last(found.get(f"cpu{index}", []), recent)) is not None},
        _last(found.get("memory", []), recent),
        _last(found.get("connections", []), recent),
    )  # fmt: skip


def _ask(
    session: Session,
    region: str,
    clock: Clock,
    wanted: Mapping[str, tuple[str, str, Mapping[str, str], str]],
    now: float,
) -> dict[str, list[tuple[float, float]]]:
    queries = [
        {
            "Id": id_,
            "MetricStat": {
                "Metric": {
                    "Namespace": namespace,
                    "MetricName": name,
                    "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions.items()],
                },
                "Period": clock.period_s,
                "Stat": statistic,
            },
        }
        for id_, (namespace, name, dimensions, statistic) in wanted.items()
    ]
    found: dict[str, list[tuple[float, float]]] = {}
    with aws_faults(f"reading the figures of {region}"):
        pages = (
            session.client("cloudwatch", region)
            .get_paginator("get_metric_data")
            .paginate(
                MetricDataQueries=queries,
                StartTime=datetime.fromtimestamp(now - clock.window_s, UTC),
                EndTime=datetime.fromtimestamp(now, UTC),
                ScanBy="TimestampAscending",
            )
        )
        for page in pages:
            for result in page["MetricDataResults"]:
                found.setdefault(result["Id"], []).extend(_points(result))
    return {id_: sorted(points) for id_, points in found.items()}


def _points(result: Mapping[str, Any]) -> list[tuple[float, float]]:
    return [(at.timestamp(), float(value)) for at, value in zip(result["Timestamps"], result["Values"], strict=True)]


def _rate(points: Series, step_s: float) -> list[tuple[float, float]]:
    """A second, of counts of a step each."""
    return [(at, value / step_s) for at, value in points]


def _sum(*series: Series) -> list[tuple[float, float]]:
    total: dict[float, float] = {}
    for points in series:
        for at, value in points:
            total[at] = total.get(at, 0.0) + value
    return sorted(total.items())


def _last(points: Series, since: float) -> float | None:
    """The newest one, if it is recent."""
    return points[-1][1] if points and points[-1][0] >= since else None
