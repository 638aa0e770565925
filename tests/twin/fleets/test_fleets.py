"""A group's desired capacity is that many instances: spread, registered, replaced, drained."""

from __future__ import annotations

import time
from collections import Counter

import pytest
from botocore.exceptions import ClientError

from tests.twin.fleets.place import REGION, Place, until


def test_instances_are_spread_registered_and_tagged(place: Place) -> None:
    name = place.make(
        3,
        TargetGroupARNs=[place.targets],
        Tags=[
            {"Key": "cost-center", "Value": "4711", "PropagateAtLaunch": True},
            {"Key": "internal", "Value": "1", "PropagateAtLaunch": False},
        ],
    )
    members = place.members(name)
    assert sorted(Counter(one["AvailabilityZone"] for one in members).values()) == [1, 2]
    assert place.ids(name) <= set(place.registered())
    chosen = place.autoscaling.describe_auto_scaling_groups(Filters=[{"Name": "tag:cost-center", "Values": ["4711"]}])
    assert [group["AutoScalingGroupName"] for group in chosen["AutoScalingGroups"]] == [name]
    instance = place.ec2.describe_instances(InstanceIds=[members[0]["InstanceId"]])["Reservations"][0]["Instances"][0]
    tags = {tag["Key"]: tag["Value"] for tag in instance["Tags"]}
    assert tags["aws:autoscaling:groupName"] == name
    assert tags["cost-center"] == "4711"
    assert "internal" not in tags
    said = place.autoscaling.describe_auto_scaling_instances(InstanceIds=[members[0]["InstanceId"]])
    assert said["AutoScalingInstances"][0]["AutoScalingGroupName"] == name
    assert all(one["StatusCode"] == "Successful" for one in place.activities(name))
    assert "changing the desired capacity from 0 to 3." in place.activities(name)[0]["Cause"]
    assert "increasing the capacity from 0 to 3." in place.activities(name)[0]["Cause"]


def test_a_running_instance_is_in_service_at_once(place: Place) -> None:
    place.hardware.boots = False
    name = place.make(1)
    (pending,) = until("a launch", lambda: place.ids(name, "Pending"))
    place.hardware.say(pending, state="running", reachable=True)
    started = time.monotonic()
    until("service", lambda: place.ids(name) == {pending})
    assert time.monotonic() - started < 1


def test_scaling_out_adds_where_fewest_are_and_in_drains_first(place: Place) -> None:
    place.drain_within(100)  # 1 s at this pace
    name = place.make(2, TargetGroupARNs=[place.targets])
    place.autoscaling.set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=4)
    place.await_size(name, 4)
    zones = Counter(one["AvailabilityZone"] for one in place.members(name))
    assert set(zones.values()) == {2}
    place.autoscaling.set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=3)
    (leaving,) = until("one that terminates", lambda: place.ids(name, "Terminating"))
    begun = time.monotonic()
    assert leaving not in place.registered()
    states = {one["InstanceId"]: one["State"]["Name"] for one in place.hardware.instances()}
    assert states[leaving] == "running"
    activity = place.activities(name)[0]
    assert activity["StatusCode"] == "WaitingForELBConnectionDraining"
    assert "shrinking the capacity from 4 to 3." in activity["Cause"]
    place.await_size(name, 3)
    assert time.monotonic() - begun > 0.8
    assert place.activities(name)[0]["StatusCode"] == "Successful"
    place.drain_within(0)


def test_an_instance_that_ended_is_replaced(place: Place) -> None:
    name = place.make(2)
    before = place.ids(name)
    dead = min(before)
    place.hardware.say(dead, state="terminated")
    until("another one", lambda: len(place.ids(name) - before) == 1)
    assert dead not in place.await_size(name, 2)
    causes = " ".join(one["Cause"] for one in place.activities(name))
    assert "in response to an EC2 health check indicating it has been terminated or stopped." in causes
    assert "in response to an unhealthy instance needing to be replaced." in causes


def test_an_impaired_instance_is_replaced_launching_first_where_the_policy_says_so(place: Place) -> None:
    name = place.make(
        2,
        InstanceMaintenancePolicy={"MinHealthyPercentage": 100, "MaxHealthyPercentage": 150},
        DefaultInstanceWarmup=60,
    )
    before = place.ids(name)
    sick = min(before)
    place.hardware.say(sick, reachable=False)
    three = until("three", lambda: len(place.group(name)["Instances"]) == 3 and place.group(name)["Instances"])
    health = {one["InstanceId"]: (one["LifecycleState"], one["HealthStatus"]) for one in three}
    assert health[sick] == ("InService", "Unhealthy")
    assert sick not in place.await_size(name, 2)


def test_a_set_health_counts_after_the_grace_period_or_when_told(place: Place) -> None:
    name = place.make(1, HealthCheckGracePeriod=600)
    (only,) = place.ids(name)
    place.autoscaling.set_instance_health(InstanceId=only, HealthStatus="Unhealthy")
    assert place.members(name)[0]["HealthStatus"] == "Healthy"
    place.autoscaling.set_instance_health(InstanceId=only, HealthStatus="Unhealthy", ShouldRespectGracePeriod=False)
    until("another", lambda: place.ids(name) and only not in place.ids(name))


def test_suspended_processes_do_nothing_until_they_are_resumed(place: Place) -> None:
    name = place.make(2)
    before = place.ids(name)
    place.autoscaling.suspend_processes(AutoScalingGroupName=name, ScalingProcesses=["Launch", "ReplaceUnhealthy"])
    sick = min(before)
    place.autoscaling.set_instance_health(InstanceId=sick, HealthStatus="Unhealthy")
    place.autoscaling.set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=3)
    _a_few_rounds(place)
    assert place.ids(name) == before
    suspended = {item["ProcessName"] for item in place.group(name)["SuspendedProcesses"]}
    assert suspended == {"Launch", "ReplaceUnhealthy"}
    place.autoscaling.resume_processes(AutoScalingGroupName=name)
    until("a replacement", lambda: sick not in place.ids(name))
    assert len(place.await_size(name, 3)) == 3


def _a_few_rounds(place: Place) -> None:
    for _ in range(3):
        place.round()


def test_terminating_by_request_with_and_without_a_smaller_fleet(place: Place) -> None:
    name = place.make(2, MinSize=1)
    first, second = sorted(place.ids(name))
    said = place.autoscaling.terminate_instance_in_auto_scaling_group(
        InstanceId=first, ShouldDecrementDesiredCapacity=False
    )
    assert "in response to a user request" in said["Activity"]["Cause"]
    until("its end", lambda: first not in place.ids(name) and len(place.ids(name)) == 2)
    place.autoscaling.terminate_instance_in_auto_scaling_group(InstanceId=second, ShouldDecrementDesiredCapacity=True)
    left = place.await_size(name, 1)
    assert place.group(name)["DesiredCapacity"] == 1
    with pytest.raises(ClientError, match="violate group's min size"):
        place.autoscaling.terminate_instance_in_auto_scaling_group(
            InstanceId=left.pop(), ShouldDecrementDesiredCapacity=True
        )


def test_scale_in_takes_the_oldest_version_and_spares_the_protected(place: Place) -> None:
    name = place.make(2, VPCZoneIdentifier=place.subnets[0])
    old = place.ids(name)
    place.autoscaling.update_auto_scaling_group(
        AutoScalingGroupName=name,
        LaunchTemplate={"LaunchTemplateId": place.template, "Version": "2"},
        DesiredCapacity=3,
    )
    place.await_size(name, 3)
    protected = min(old)
    place.autoscaling.set_instance_protection(
        AutoScalingGroupName=name, InstanceIds=[protected], ProtectedFromScaleIn=True
    )
    place.autoscaling.set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=2)
    left = place.await_size(name, 2)
    assert old & left == {protected}


def test_zones_are_rebalanced(place: Place) -> None:
    name = place.make(2, VPCZoneIdentifier=place.subnets[0])
    place.autoscaling.update_auto_scaling_group(AutoScalingGroupName=name, VPCZoneIdentifier=",".join(place.subnets))
    until(
        "one in each zone",
        lambda: (
            len(place.members(name)) == 2
            and {one["AvailabilityZone"] for one in place.members(name)} == {f"{REGION}a", f"{REGION}b"}
        ),
    )
    assert "to aid in balancing the group's zones" in " ".join(one["Cause"] for one in place.activities(name))


def test_standby_is_out_of_service_and_comes_back(place: Place) -> None:
    name = place.make(2, TargetGroupARNs=[place.targets])
    aside = min(place.ids(name))
    place.autoscaling.enter_standby(AutoScalingGroupName=name, InstanceIds=[aside], ShouldDecrementDesiredCapacity=True)
    assert place.ids(name, "Standby") == {aside}
    assert aside not in place.registered()
    _a_few_rounds(place)
    assert len(place.group(name)["Instances"]) == 2
    place.autoscaling.exit_standby(AutoScalingGroupName=name, InstanceIds=[aside])
    assert aside in place.await_size(name, 2)
    assert aside in place.registered()


def test_a_launch_that_fails_is_told_and_tried_again(place: Place) -> None:
    broken = place.ec2.create_launch_template(
        LaunchTemplateName="broken", LaunchTemplateData={"InstanceType": "t3.micro"}
    )["LaunchTemplate"]["LaunchTemplateId"]
    name = place.make(0, LaunchTemplate={"LaunchTemplateId": broken, "Version": "$Latest"})
    place.autoscaling.set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=1)
    failed = until("a failure", lambda: place.activities(name))[0]
    assert failed["StatusCode"] == "Failed"
    assert "Launching EC2 instance failed" in failed["StatusMessage"]
    place.ec2.create_launch_template_version(
        LaunchTemplateId=broken, LaunchTemplateData={"ImageId": "ami-12345678", "InstanceType": "t3.micro"}
    )
    place.await_size(name, 1)


def test_a_lost_region_launches_nothing(place: Place) -> None:
    name = place.make(1)
    place.fleets.lose(REGION, "refuse")
    try:
        place.autoscaling.set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=2)
        _a_few_rounds(place)
        assert len(place.group(name)["Instances"]) == 1
    finally:
        place.fleets.recover(REGION)
    place.await_size(name, 2)


def test_a_group_is_deleted_when_it_is_empty_or_by_force(place: Place) -> None:
    name = place.make(2)
    aside, kept = sorted(place.ids(name))
    place.autoscaling.enter_standby(AutoScalingGroupName=name, InstanceIds=[aside], ShouldDecrementDesiredCapacity=True)
    place.autoscaling.set_instance_protection(AutoScalingGroupName=name, InstanceIds=[kept], ProtectedFromScaleIn=True)
    place.autoscaling.suspend_processes(AutoScalingGroupName=name, ScalingProcesses=["Terminate"])
    with pytest.raises(ClientError, match="ResourceInUse"):
        place.autoscaling.delete_auto_scaling_group(AutoScalingGroupName=name)
    place.autoscaling.delete_auto_scaling_group(AutoScalingGroupName=name, ForceDelete=True)
    until(
        "its end",
        lambda: not place.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"],
    )


def test_sizes_out_of_bounds_are_refused(place: Place) -> None:
    name = place.make(1, MinSize=1)
    for size, words in ((7, "above max value 6"), (0, "below min value 1")):
        with pytest.raises(ClientError, match=words):
            place.autoscaling.set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=size)
    with pytest.raises(ClientError, match="no such group"):
        place.autoscaling.set_desired_capacity(AutoScalingGroupName="none", DesiredCapacity=1)


def test_enabled_metrics_are_measured(place: Place) -> None:
    name = place.make(2)
    assert [one for one in place.fleets.measurements() if one.dimensions == {"AutoScalingGroupName": name}] == []
    place.autoscaling.enable_metrics_collection(
        AutoScalingGroupName=name, Granularity="1Minute", Metrics=["GroupInServiceInstances", "GroupMaxSize"]
    )

    def measured() -> dict[str, float | None]:
        return {
            one.name: one.value
            for one in place.fleets.measurements()
            if one.dimensions == {"AutoScalingGroupName": name}
        }

    assert until("measurements", measured) == {"GroupInServiceInstances": 2.0, "GroupMaxSize": 6.0}
