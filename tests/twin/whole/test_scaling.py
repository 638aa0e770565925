"""The fleet grows when traffic AND usage pass their thresholds, and shrinks again; traffic alone does nothing.

In this order: while the east is quiet for long enough, the west has traffic.
"""

from __future__ import annotations

import contextlib
import http.client
import threading
from collections.abc import Iterator
from typing import Any

from tests.support.running import EAST, PREFIX, WEST, Running, until

MINUTE_S = 6.0
"""A CloudWatch minute at the fast pace."""
LEAST, QUIET_S = 2, 25 * MINUTE_S
"""Fifteen quiet minutes, what is left of a new server's warm-up, and a margin."""


@contextlib.contextmanager
def load(twin: Running, region: str, path: str, clients: int, pause_s: float) -> Iterator[None]:
    """Requests to a region, by so many clients."""
    stop = threading.Event()

    def ask() -> None:
        while not stop.wait(pause_s):
            with contextlib.suppress(OSError, http.client.HTTPException):
                twin.get(region, path)

    threads = [threading.Thread(target=ask, daemon=True) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(20)


def _alarm(twin: Running, name: str, region: str = EAST) -> str:
    found = twin.client("cloudwatch", region).describe_alarms(AlarmNames=[f"{PREFIX}-{name}"])["MetricAlarms"]
    return str(found[0]["StateValue"])


def _desired(twin: Running, region: str = EAST) -> int:
    return int(twin.fleet(region)["DesiredCapacity"])


def grow(twin: Running) -> None:
    """Have the east's fleet grow by load."""
    before = _desired(twin)
    with load(twin, EAST, "/", clients=4, pause_s=0.0):
        until("the fleet is asked to grow", lambda: _desired(twin) > before, 20 * MINUTE_S)
        until("it has grown", lambda: len(twin.in_service(EAST)) > before, 20 * MINUTE_S)
        assert _alarm(twin, "scale-out") == "ALARM"


def test_traffic_and_cpu_together_grow_the_fleet(twin: Running) -> None:
    grow(twin)


def test_traffic_alone_does_not_grow_the_fleet(twin: Running) -> None:
    """Many cheap requests: a file of the sample's, well below the CPU's threshold."""
    before = _desired(twin, WEST)
    with load(twin, WEST, "/style.css", clients=2, pause_s=0.03):
        until("the alarm has looked", lambda: _alarm(twin, "scale-out", WEST) in ("OK", "ALARM"))
        seen = _traffic(twin)
        until("traffic is above its threshold for three minutes", lambda: _traffic(twin) > seen + 2, 12 * MINUTE_S)
        assert _desired(twin, WEST) == before


def _traffic(twin: Running) -> int:
    """Minutes in which more than 50 requests for each target in the west came."""
    import time  # noqa: PLC0415 - only here

    metrics = twin.client("cloudwatch", WEST).list_metrics(
        Namespace="AWS/ApplicationELB", MetricName="RequestCountPerTarget"
    )
    dimensions: list[Any] = max((item["Dimensions"] for item in metrics["Metrics"]), key=len, default=[])
    if not dimensions:
        return 0
    answer = twin.client("cloudwatch", WEST).get_metric_statistics(
        Namespace="AWS/ApplicationELB",
        MetricName="RequestCountPerTarget",
        Dimensions=dimensions,
        StartTime=time.time() - 600,
        EndTime=time.time() + 60,
        Period=1,
        Statistics=["Sum"],
    )
    return sum(point["Sum"] > 50 for point in answer["Datapoints"])


def test_the_fleet_shrinks_when_it_has_been_quiet(twin: Running) -> None:
    if not _shrunk(twin) and _desired(twin) == LEAST:
        grow(twin)
    until("the fleet is asked to shrink", lambda: _shrunk(twin), QUIET_S)
    until("it is as small as it was", lambda: _desired(twin) == LEAST, QUIET_S)
    until("and so are its servers", lambda: len(twin.in_service(EAST)) == LEAST, QUIET_S)


def _shrunk(twin: Running) -> bool:
    """Whether the alarm on quiet has made it shrink, by Auto Scaling's own record."""
    groups = twin.client("autoscaling", EAST)
    told = groups.describe_scaling_activities(AutoScalingGroupName=f"{PREFIX}-fleet")["Activities"]
    return any("shrinking the capacity" in one["Cause"] and f"{PREFIX}-scale-in" in one["Cause"] for one in told)
