"""A fleet that has been quiet for long enough shrinks: test_busy_fleet.py has made the east's grow, minutes ago."""

from __future__ import annotations

from tests.support.running import EAST, PREFIX, Running, until
from tests.twin.whole.test_busy_fleet import MINUTE_S, grow

LEAST, MOST_S = 2, 25 * MINUTE_S
"""Fifteen quiet minutes, what is left of a new server's warm-up, and a margin."""


def test_the_fleet_shrinks_when_it_has_been_quiet(twin: Running) -> None:
    if not shrunk(twin) and twin.fleet(EAST)["DesiredCapacity"] == LEAST:
        grow(twin)
    until("the fleet is asked to shrink", lambda: shrunk(twin), MOST_S)
    until("it is as small as it was", lambda: twin.fleet(EAST)["DesiredCapacity"] == LEAST, MOST_S)
    until("and so are its servers", lambda: len(twin.in_service(EAST)) == LEAST, MOST_S)


def shrunk(twin: Running) -> bool:
    """Whether the alarm on quiet has made it shrink, by Auto Scaling's own record."""
    groups = twin.client("autoscaling", EAST)
    told = groups.describe_scaling_activities(AutoScalingGroupName=f"{PREFIX}-fleet")["Activities"]
    return any("shrinking the capacity" in one["Cause"] and f"{PREFIX}-scale-in" in one["Cause"] for one in told)
