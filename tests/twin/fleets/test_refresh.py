"""An instance refresh really rolls."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.twin.fleets.place import Place, until


def _new_version(place: Place, name: str) -> None:
    place.autoscaling.update_auto_scaling_group(
        AutoScalingGroupName=name, LaunchTemplate={"LaunchTemplateId": place.template, "Version": "2"}
    )


def _last(place: Place, name: str) -> Any:
    return place.autoscaling.describe_instance_refreshes(AutoScalingGroupName=name)["InstanceRefreshes"][0]


def _ended(place: Place, name: str) -> Any:
    return until("an end", lambda: (found := _last(place, name))["Status"] in ("Successful", "Failed") and found)


def test_a_refresh_replaces_one_after_the_other(place: Place) -> None:
    name = place.make(2)
    before = place.ids(name)
    _new_version(place, name)
    place.autoscaling.start_instance_refresh(
        AutoScalingGroupName=name, Preferences={"MinHealthyPercentage": 50, "InstanceWarmup": 30}
    )
    with pytest.raises(ClientError, match="InstanceRefreshInProgress"):
        place.autoscaling.start_instance_refresh(AutoScalingGroupName=name)
    seen = set()
    fewest = 2

    def ended() -> Any:
        nonlocal fewest
        found = _last(place, name)
        seen.add((found["Status"], found["PercentageComplete"]))
        fewest = min(fewest, len(place.ids(name)))
        return found["Status"] == "Successful" and found

    found = until("its end", ended)
    assert found["PercentageComplete"] == 100
    assert ("InProgress", 50) in seen
    assert fewest == 1
    assert place.versions(name) == ["2", "2"]
    assert not before & place.await_size(name, 2)


def test_a_refresh_can_launch_first_and_skips_what_matches(place: Place) -> None:
    name = place.make(2, InstanceMaintenancePolicy={"MinHealthyPercentage": 100, "MaxHealthyPercentage": 150})
    before = place.ids(name)
    place.autoscaling.start_instance_refresh(
        AutoScalingGroupName=name, Preferences={"InstanceWarmup": 0, "SkipMatching": True}
    )
    assert _ended(place, name)["Status"] == "Successful"
    assert place.ids(name) == before
    place.autoscaling.start_instance_refresh(
        AutoScalingGroupName=name,
        DesiredConfiguration={"LaunchTemplate": {"LaunchTemplateId": place.template, "Version": "2"}},
        Preferences={"InstanceWarmup": 10, "SkipMatching": True},
    )
    fewest = 2

    def ended() -> bool:
        nonlocal fewest
        fewest = min(fewest, len(place.ids(name)))
        return bool(_last(place, name)["Status"] == "Successful")

    until("its end", ended)
    assert fewest == 2
    assert place.versions(name) == ["2", "2"]
    assert place.group(name)["LaunchTemplate"]["Version"] == "2"


def test_a_cancelled_refresh_leaves_the_rest(place: Place) -> None:
    name = place.make(2)
    _new_version(place, name)
    place.autoscaling.start_instance_refresh(
        AutoScalingGroupName=name, Preferences={"MinHealthyPercentage": 50, "InstanceWarmup": 3600}
    )
    until("one new", lambda: place.versions(name) == ["1", "2"])
    place.autoscaling.cancel_instance_refresh(AutoScalingGroupName=name)
    assert _last(place, name)["Status"] == "Cancelled"
    with pytest.raises(ClientError, match="ActiveInstanceRefreshNotFound"):
        place.autoscaling.cancel_instance_refresh(AutoScalingGroupName=name)
    place.await_size(name, 2)
    assert place.versions(name) == ["1", "2"]


def test_what_is_not_run_is_refused(place: Place) -> None:
    name = place.make(0)
    with pytest.raises(ClientError, match="AutoRollback is not run"):
        place.autoscaling.start_instance_refresh(AutoScalingGroupName=name, Preferences={"AutoRollback": True})
    with pytest.raises(ClientError, match="100 apart"):
        place.autoscaling.start_instance_refresh(
            AutoScalingGroupName=name, Preferences={"MinHealthyPercentage": 0, "MaxHealthyPercentage": 150}
        )
