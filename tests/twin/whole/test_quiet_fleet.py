"""A fleet that has been quiet for long enough is as small as it was: test_busy_fleet.py has made the east's grow."""

from __future__ import annotations

from tests.support.running import EAST, PREFIX, Running, until
from tests.twin.whole.test_busy_fleet import MINUTE_S

LEAST, MOST_MINUTES = 2, 25
"""Fifteen quiet ones, what is left of a new server's warm-up, and a margin."""


def test_the_fleet_shrinks_when_it_has_been_quiet(twin: Running) -> None:
    groups = twin.client("autoscaling", EAST)
    name = f"{PREFIX}-fleet"
    until(
        "the fleet is as small as it was", lambda: twin.fleet(EAST)["DesiredCapacity"] == LEAST, MOST_MINUTES * MINUTE_S
    )
    until("and so are its servers", lambda: len(twin.in_service(EAST)) == LEAST, MOST_MINUTES * MINUTE_S)
    told = groups.describe_scaling_activities(AutoScalingGroupName=name)["Activities"]
    causes = [activity["Cause"] for activity in told]
    assert any("shrinking the capacity" in cause and "scale-in" in cause for cause in causes), causes
