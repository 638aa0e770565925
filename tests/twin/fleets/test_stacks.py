"""CloudFormation waits for a group: its instances' signals, its rolling update and the way back, its end."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.twin.fleets.place import REGION, Place, until

Json = Any
RESOURCE = "Fleet"


class Stack:
    """A stack with one group, whose instances signal what their version makes them."""

    _numbers = itertools.count()

    def __init__(self, place: Place) -> None:
        self.place = place
        self.name = f"stack-{next(self._numbers)}"
        self.group = f"{self.name}-fleet"
        self.says = {"1": "SUCCESS", "2": "SUCCESS"}
        place.hardware.signals = self._signal

    def _signal(self, version: str) -> tuple[str, str, str] | None:
        said = self.says.get(version)
        return (self.name, RESOURCE, said) if said else None

    def template(self, version: str = "1", *, timeout: str = "PT10M", properties: Json = None, **changed: Json) -> str:
        """Two instances, rolled one at a time with two in service."""
        rolling = {
            "MinInstancesInService": 2, "MaxBatchSize": 1, "MinSuccessfulInstancesPercent": 100,
            "WaitOnResourceSignals": True, "PauseTime": timeout,
            "SuspendProcesses": ["ReplaceUnhealthy", "AZRebalance"], **changed,
        }  # fmt: skip
        group = {
            "Type": "AWS::AutoScaling::AutoScalingGroup",
            "CreationPolicy": {
                "AutoScalingCreationPolicy": {"MinSuccessfulInstancesPercent": 100},
                "ResourceSignal": {"Count": {"Ref": "Size"}, "Timeout": timeout},
            },
            "UpdatePolicy": {"AutoScalingRollingUpdate": rolling},
            "Properties": {
                "AutoScalingGroupName": self.group,
                "MinSize": "2",
                "MaxSize": "6",
                "VPCZoneIdentifier": self.place.subnets,
                "TargetGroupARNs": [self.place.targets],
                "LaunchTemplate": {"LaunchTemplateId": self.place.template, "Version": version},
                **(properties or {}),
            },
        }
        size = {"Type": "Number", "Default": 2}
        return json.dumps({"Parameters": {"Size": size}, "Resources": {RESOURCE: group}})

    def create(self, **settings: Json) -> str:
        self.place.cloudformation.create_stack(StackName=self.name, TemplateBody=self.template(**settings))
        return self.settled()

    def update(self, version: str, **settings: Json) -> str:
        self.place.cloudformation.update_stack(StackName=self.name, TemplateBody=self.template(version, **settings))
        return self.settled()

    def update_watched(self, version: str, **settings: Json) -> Callable[[], None]:
        """Begin an update that an alarm takes back; returns what makes the alarm ring."""
        cloudwatch, alarm = self.place.ground.api.client("cloudwatch", REGION), f"{self.name}-fails"
        cloudwatch.put_metric_alarm(
            AlarmName=alarm, Namespace="Test", MetricName=alarm, Statistic="Sum", Period=60, EvaluationPeriods=1,
            Threshold=1, ComparisonOperator="GreaterThanThreshold", TreatMissingData="notBreaching",
        )  # fmt: skip
        arn = cloudwatch.describe_alarms(AlarmNames=[alarm])["MetricAlarms"][0]["AlarmArn"]
        self.place.cloudformation.update_stack(
            StackName=self.name,
            TemplateBody=self.template(version, **settings),
            RollbackConfiguration={
                "RollbackTriggers": [{"Arn": arn, "Type": "AWS::CloudWatch::Alarm"}],
                "MonitoringTimeInMinutes": 180,
            },
        )
        return lambda: cloudwatch.set_alarm_state(AlarmName=alarm, StateValue="ALARM", StateReason="a test says so")

    @property
    def status(self) -> str:
        return str(self.place.cloudformation.describe_stacks(StackName=self.name)["Stacks"][0]["StackStatus"])

    def settled(self) -> str:
        return str(until(self.name, lambda: not (now := self.status).endswith("IN_PROGRESS") and now))

    def reasons(self) -> list[str]:
        """What its group's events say, the first one first."""
        events = self.place.cloudformation.describe_stack_events(StackName=self.name)["StackEvents"]
        return [
            event["ResourceStatusReason"]
            for event in reversed(events)
            if event["LogicalResourceId"] == RESOURCE and event.get("ResourceStatusReason")
        ]

    def has_group(self) -> bool:
        asked = self.place.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[self.group])
        return bool(asked["AutoScalingGroups"])


@pytest.fixture
def stack(place: Place) -> Iterator[Stack]:
    made = Stack(place)
    yield made
    place.cloudformation.delete_stack(StackName=made.name)
    until("the group's end", lambda: not made.has_group())


def test_a_group_is_created_when_its_instances_have_signalled(stack: Stack) -> None:
    assert stack.create() == "CREATE_COMPLETE"
    ids = stack.place.await_size(stack.group, 2)
    tags = {tag["Key"]: tag["Value"] for one in stack.place.hardware.instances() if one["InstanceId"] in ids
            for tag in one["Tags"]}  # fmt: skip
    assert tags["aws:cloudformation:logical-id"] == RESOURCE
    assert sum(reason.startswith("Received SUCCESS signal with UniqueId i-") for reason in stack.reasons()) == 2
    with pytest.raises(ClientError, match="is in CREATE_COMPLETE state and cannot be signaled"):
        stack.place.cloudformation.signal_resource(
            StackName=stack.name, LogicalResourceId=RESOURCE, UniqueId="i-1", Status="SUCCESS"
        )


def test_a_failure_signal_fails_the_group_and_takes_it_away(stack: Stack) -> None:
    stack.says["1"] = "FAILURE"
    assert stack.create() == "ROLLBACK_COMPLETE"
    # Both of its instances say so; whether the second is heard before the group is judged, nobody promises.
    unable = r"Received [12] FAILURE signal\(s\) out of 2\.  Unable to satisfy 100% MinSuccessfulInstancesPercent .*"
    assert any(re.fullmatch(unable, reason) for reason in stack.reasons())
    assert not stack.has_group()


def test_silence_fails_the_group_after_the_timeout(stack: Stack) -> None:
    stack.says.clear()
    assert stack.create(timeout="PT1M") == "ROLLBACK_COMPLETE"  # 0.6 s at this pace
    assert any(
        reason.startswith("Failed to receive 2 resource signal(s) for the current batch.") for reason in stack.reasons()
    )
    assert any(reason.startswith("Received 0 SUCCESS signal(s) out of 2.") for reason in stack.reasons())


def test_a_new_version_rolls_one_by_one_with_enough_in_service(stack: Stack) -> None:
    place = stack.place
    stack.create()
    before = place.ids(stack.group)
    place.cloudformation.update_stack(StackName=stack.name, TemplateBody=stack.template("2"))
    fewest, most, suspended = 2, 2, set()
    while stack.status.endswith("IN_PROGRESS"):
        group = place.group(stack.group)
        serving = [one for one in group["Instances"] if one["LifecycleState"] == "InService"]
        alive = [one for one in group["Instances"] if one["LifecycleState"] in ("InService", "Pending")]
        fewest, most = min(fewest, len(serving)), max(most, len(alive))
        suspended |= {item["ProcessName"] for item in group["SuspendedProcesses"]}
    assert stack.status == "UPDATE_COMPLETE"
    assert (fewest, most) == (2, 3)
    assert place.versions(stack.group) == ["2", "2"]
    assert not before & place.await_size(stack.group, 2)
    assert suspended == {"ReplaceUnhealthy", "AZRebalance"}
    group = place.group(stack.group)
    assert (group["MinSize"], group["DesiredCapacity"], group["SuspendedProcesses"]) == (2, 2, [])
    said = " ".join(stack.reasons())
    for words in (
        "Rolling update initiated. Terminating 2 obsolete instance(s) in batches of 1, while keeping at least 2",
        "Temporarily setting autoscaling group MinSize and DesiredCapacity to 3.",
        "Waiting on 1 resource signal(s) with a timeout of PT10M.",
        "replacing with 1 new instance(s).",
        "(Progress 50%).",
        "replacing with 0 new instance(s).",
        "(Progress 100%).",
    ):
        assert words in said


@pytest.mark.parametrize("bad", ["FAILURE", None])
def test_a_version_that_fails_is_rolled_back_and_the_old_instances_stay(stack: Stack, bad: str | None) -> None:
    place = stack.place
    stack.create()
    before = place.ids(stack.group)
    stack.says = {"1": "SUCCESS"} | ({"2": bad} if bad else {})
    assert stack.update("2", timeout="PT1M") == "UPDATE_ROLLBACK_COMPLETE"
    assert place.await_size(stack.group, 2) == before
    group = place.group(stack.group)
    assert group["LaunchTemplate"]["Version"] == "1"
    assert (group["MinSize"], group["DesiredCapacity"], group["SuspendedProcesses"]) == (2, 2, [])
    assert any("Received 1 FAILURE signal(s) out of 2." in reason for reason in stack.reasons())


def test_a_half_done_update_is_rolled_back_for_real(stack: Stack) -> None:
    """The first new instance is well, an old one is gone already when the second fails."""
    place = stack.place
    stack.create()
    said = iter(("SUCCESS", "FAILURE"))
    place.hardware.signals = lambda version: (
        (stack.name, RESOURCE, "SUCCESS") if version == "1" else (stack.name, RESOURCE, next(said, "FAILURE"))
    )
    assert stack.update("2", MinInstancesInService=1) == "UPDATE_ROLLBACK_COMPLETE"
    place.await_size(stack.group, 2)
    assert place.versions(stack.group) == ["1", "1"]


@pytest.mark.parametrize("rolled", [False, True])
def test_an_alarm_takes_a_version_back_while_it_rolls_and_while_it_is_watched(stack: Stack, *, rolled: bool) -> None:
    """Instances of the old version serve again, whether one, all or none of the new ones serve already."""
    place = stack.place
    stack.create()
    if not rolled:
        del stack.says["2"]
    ring = stack.update_watched("2")
    until("an instance of the new version", lambda: (seen := place.versions(stack.group)) == ["2", "2"] or
          (not rolled and "2" in seen))  # fmt: skip
    ring()
    assert stack.settled() == "UPDATE_ROLLBACK_COMPLETE"
    place.await_size(stack.group, 2)
    assert place.versions(stack.group) == ["1", "1"]
    group = place.group(stack.group)
    assert (group["MinSize"], group["DesiredCapacity"], group["SuspendedProcesses"]) == (2, 2, [])
    assert ("Resource update cancelled" in stack.reasons()) is not rolled


def test_a_way_back_waits_for_nobody_who_does_not_come(stack: Stack) -> None:
    """One that died has its successor already, which told nobody that it came: the group was not being changed."""
    place = stack.place
    slow = {
        "InstanceMaintenancePolicy": {"MinHealthyPercentage": 100, "MaxHealthyPercentage": 150},
        "DefaultInstanceWarmup": 3600,
    }
    stack.create(properties=slow)
    ring = stack.update_watched("2", properties=slow)
    until("both of the new version", lambda: place.versions(stack.group) == ["2", "2"])
    until("that the group is as it is to be", lambda: place.group(stack.group)["DesiredCapacity"] == 2)
    dead = sorted(place.ids(stack.group))[0]
    place.autoscaling.set_instance_health(InstanceId=dead, HealthStatus="Unhealthy", ShouldRespectGracePeriod=False)
    until("its successor", lambda: len(place.ids(stack.group)) == 3)
    ring()
    assert stack.settled() == "UPDATE_ROLLBACK_COMPLETE"
    place.await_size(stack.group, 2)
    assert place.versions(stack.group) == ["1", "1"]


def test_without_signals_a_rolling_update_pauses(stack: Stack) -> None:
    place = stack.place
    stack.create()
    assert stack.update("2", WaitOnResourceSignals=False, timeout="PT10S", MaxBatchSize=2) == "UPDATE_COMPLETE"
    place.await_size(stack.group, 2)
    assert place.versions(stack.group) == ["2", "2"]


def test_a_deleted_stack_drains_its_group_first(stack: Stack) -> None:
    place = stack.place
    place.drain_within(50)
    stack.create()
    ids = place.ids(stack.group)
    arn = place.cloudformation.describe_stacks(StackName=stack.name)["Stacks"][0]["StackId"]
    place.cloudformation.delete_stack(StackName=stack.name)
    until("draining", lambda: place.ids(stack.group, "Terminating") == ids)
    assert not ids & set(place.registered())
    ended = until(
        "the end",
        lambda: (
            (found := place.cloudformation.describe_stacks(StackName=arn)["Stacks"][0]["StackStatus"])
            != "DELETE_IN_PROGRESS"
            and found
        ),
    )
    assert ended == "DELETE_COMPLETE"
    states = {one["InstanceId"]: one["State"]["Name"] for one in place.hardware.instances()}
    assert {states.get(id_, "terminated") for id_ in ids} == {"terminated"}
    place.drain_within(0)
