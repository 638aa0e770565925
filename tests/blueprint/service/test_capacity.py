"""Room in a region: what Route 53 can read of these alarms, and what they say in which state."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from bicoastal.blueprint.service.capacity import PROBES_PER_MINUTE, SLICES, quiet_limit
from bicoastal.cfn.deployment import Resource, Stack
from bicoastal.spec.model import Spec
from tests.support.deployed import plain, service
from tests.support.specs import spec, valid_specs


def room_alarms(stack: Stack) -> list[Resource]:
    return [stack.resources[name] for name in ("FleetAtMaximum", "Quiet1", "Quiet2", "Quiet3", "Quiet4")]


def regions(standby_limit: int) -> dict[str, Any]:
    return {
        "us-east-1": {"role": "home", "cidr": "10.1.0.0/16", "at_capacity": {"requests_per_minute": 2000}},
        "us-west-2": {
            "role": "standby",
            "cidr": "10.2.0.0/16",
            "at_capacity": {"requests_per_minute": standby_limit},
        },
    }


def test_route_53_can_read_every_one_of_them() -> None:
    """It takes neither metric math, M-of-N, percentiles nor high resolution."""
    for alarm in room_alarms(service(spec())):
        assert not alarm.get("Metrics")
        assert not alarm.get("ExtendedStatistic")
        assert alarm.get("Statistic") in ("Average", "Minimum", "Maximum", "Sum", "SampleCount")
        assert alarm.get("DatapointsToAlarm") in (None, alarm.get("EvaluationPeriods"))
        assert alarm.get("Period") >= 60


def test_the_limits_are_staggered_above_the_specs_limit_per_region() -> None:
    for region, limit in (("us-east-1", 2000), ("us-west-2", 1000)):
        stack = service(spec(regions=regions(1000)), region)
        limits = [int(stack.resources[f"Quiet{number}"].get("Threshold")) for number in (1, 2, 3, 4)]
        assert limits == [limit * 6 * percent // 100 + PROBES_PER_MINUTE for percent in SLICES], "of six instances"


def test_a_slice_needs_ten_quiet_minutes_and_one_busy_one_ends_it() -> None:
    quiet = service(spec()).resources["Quiet1"]
    assert (quiet.get("MetricName"), quiet.get("Statistic")) == ("RequestCount", "Sum"), "of all: see the module"
    assert quiet.get("EvaluationPeriods") == 10
    assert quiet.get("ComparisonOperator") == "LessThanThreshold"
    assert quiet.get("TreatMissingData") == "breaching", "without requests ALB sends nothing, and that is quiet"
    names = {item["Name"]: plain(item["Value"]) for item in quiet.items("Dimensions")}
    assert names == {
        "TargetGroup": "${service/us-east-1/ApplicationTargets.TargetGroupFullName}",
        "LoadBalancer": "${service/us-east-1/Balancer.LoadBalancerFullName}",
    }


def test_the_fleet_is_full_at_its_maximum_and_not_before() -> None:
    full = service(spec(instances={"min": 3, "max": 9})).resources["FleetAtMaximum"]
    assert (full.get("MetricName"), full.get("Threshold")) == ("GroupInServiceInstances", 9)
    assert full.get("ComparisonOperator") == "GreaterThanOrEqualToThreshold"
    assert full.get("TreatMissingData") == "notBreaching"


@pytest.mark.parametrize(
    ("changed", "renamed"),
    [
        ({"regions": regions(1001)}, {"Quiet1", "Quiet2", "Quiet3", "Quiet4"}),
        ({"instances": {"min": 2, "max": 5}}, {"Quiet1", "Quiet2", "Quiet3", "Quiet4", "FleetAtMaximum"}),
        ({"cost_center": "other"}, set()),
        ({"alerts": ["ops@example.com"]}, set()),
    ],
)
def test_an_alarm_whose_definition_changes_changes_its_name(changed: dict[str, Any], renamed: set[str]) -> None:
    """A Route 53 check keeps what it read of an alarm when the check was made."""

    def names(**changes: Any) -> dict[str, str]:
        stack = service(spec(**{"regions": regions(1000), **changes}), "us-west-2")
        return {alarm.logical_id: plain(alarm.get("AlarmName")) for alarm in room_alarms(stack)}

    before, after = names(), names(**changed)
    assert {name for name in before if before[name] != after[name]} == renamed


def test_the_names_follow_the_target_group() -> None:
    """Another target group is another metric under the same definition."""
    name = service(spec()).template.section("Resources")["Quiet1"]["Properties"]["AlarmName"]
    assert "ApplicationTargets" in repr(name)
    assert "TargetGroupFullName" in repr(name)


@given(valid_specs())
def test_a_quiet_region_is_below_its_limits_whatever_the_checkers_send(any_spec: Spec) -> None:
    for region in any_spec.regions:
        limits = [quiet_limit(any_spec, region, percent) for percent in SLICES]
        assert limits == sorted(limits)
        assert limits[0] > PROBES_PER_MINUTE
