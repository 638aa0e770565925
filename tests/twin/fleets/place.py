"""A VPC with two zones, a launch template and a target group; the fleets' controller; and hardware that boots at once.

The hardware stands where the room `instances` does: it reports of each instance what that would, and can be told to
break one, to leave new ones pending, or to signal CloudFormation as the kit on an instance does.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from bicoastal.twin.api import Watcher
from bicoastal.twin.controller import Loop
from bicoastal.twin.fleets.controller import Fleets
from bicoastal.twin.ground import Ground
from bicoastal.twin.pace import Pace

BRISK = Pace("brisk", 100)
"""A minute of AWS's lasts 0.6 s here."""
REGION = "us-east-1"
DEADLINE_S = 20.0
Json = Any


def silent(version: str) -> None:
    """An instance that signals nothing."""
    del version


def until(what: str, condition: Callable[[], Any], deadline_s: float = DEADLINE_S) -> Any:
    """Ask until it is so, and return what it is; fails with the last answer."""
    end = time.monotonic() + deadline_s
    while not (found := condition()):
        assert time.monotonic() < end, f"{what}: still {found!r}"
        time.sleep(0.01)
    return found


class Hardware:
    """What instances run on."""

    def __init__(self, made: Ground) -> None:
        self._ground = made
        self._ec2 = made.api.client("ec2", REGION)
        self._cloudformation = made.api.client("cloudformation", REGION)
        self._signalled: set[str] = set()
        self._lock = threading.Lock()
        self.boots = True
        """Whether what is pending comes to run."""
        self.signals: Callable[[str], tuple[str, str, str] | None] = silent
        """A launch template's version to the stack, the resource and the status that its instances signal."""

    def look(self) -> None:
        """Boot what is pending, end what shuts down."""
        with self._lock:
            for instance in self.instances():
                state, id_ = instance["State"]["Name"], instance["InstanceId"]
                if state == "pending" and self.boots:
                    self.say(id_, state="running", reachable=True)
                elif state == "shutting-down":
                    self.say(id_, state="terminated")
                elif state == "running":
                    self._signal(instance)

    def _signal(self, instance: Json) -> None:
        tags = {tag["Key"]: tag["Value"] for tag in instance["Tags"]}
        signal = self.signals(tags["aws:ec2launchtemplate:version"])
        if signal and instance["InstanceId"] not in self._signalled:
            self._signalled.add(instance["InstanceId"])
            stack, resource, status = signal
            try:
                self._cloudformation.signal_resource(
                    StackName=stack, LogicalResourceId=resource, UniqueId=instance["InstanceId"], Status=status
                )
            except ClientError as error:
                # As the kit takes it: nobody waits for an instance that joins otherwise.
                if "cannot be signaled" not in str(error):
                    raise

    def say(self, id_: str, **what: Any) -> None:
        """As the room `instances` reports."""
        self._ground.api.report("ec2.instance", REGION, id=id_, **what)

    def instances(self) -> list[Json]:
        """All that EC2 knows."""
        found = self._ec2.describe_instances()["Reservations"]
        return [instance for item in found for instance in item["Instances"]]


class Place:
    """Where groups are."""

    def __init__(self, made: Ground) -> None:
        self.ground = made
        self.ec2, self.autoscaling, self.elbv2, self.cloudformation = (
            made.api.client(service, REGION) for service in ("ec2", "autoscaling", "elbv2", "cloudformation")
        )
        vpc = self.ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
        self.subnets = [
            self.ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.9.{number}.0/24", AvailabilityZone=f"{REGION}{zone}")[
                "Subnet"
            ]["SubnetId"]
            for number, zone in enumerate("ab")
        ]
        self.template = self.ec2.create_launch_template(
            LaunchTemplateName="servers", LaunchTemplateData={"ImageId": "ami-12345678", "InstanceType": "t3.micro"}
        )["LaunchTemplate"]["LaunchTemplateId"]
        self.ec2.create_launch_template_version(
            LaunchTemplateId=self.template, SourceVersion="1", LaunchTemplateData={"InstanceType": "t3.small"}
        )
        self.targets = self.elbv2.create_target_group(Name="web", Protocol="HTTP", Port=80, VpcId=vpc)["TargetGroups"][
            0
        ]["TargetGroupArn"]
        self.drain_within(0)
        self.hardware = Hardware(made)
        self.fleets = Fleets(made)
        self._names = (f"group-{number}" for number in range(1000))
        self.loop: Loop[str, Any] = Loop(self.fleets, 1.0)
        self.fleets.wake = self.loop.poke
        self._watchers = [Watcher(made.api, self.loop.poke), Watcher(made.api, self.hardware.look)]

    def start(self) -> None:
        """Begin to look."""
        self.loop.start()
        for watcher in self._watchers:
            watcher.start()

    def stop(self) -> None:
        """No more."""
        for watcher in self._watchers:
            watcher.stop()
        self.round()
        self.loop.stop()

    def round(self) -> None:
        """Let the controller look once, and do what it does then."""
        seen = self.loop.status.rounds
        self.loop.poke()
        until("a round", lambda: self.loop.status.rounds > seen and not self.loop.status.busy)

    def drain_within(self, seconds: int) -> None:
        """The target group's deregistration delay."""
        self.elbv2.modify_target_group_attributes(
            TargetGroupArn=self.targets,
            Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": str(seconds)}],
        )

    def make(self, size: int, **settings: Any) -> str:
        """A group with so many instances in service, and 6 at most."""
        name = next(self._names)
        self.autoscaling.create_auto_scaling_group(
            **{
                "AutoScalingGroupName": name,
                "MinSize": 0,
                "MaxSize": 6,
                "DesiredCapacity": size,
                "VPCZoneIdentifier": ",".join(self.subnets),
                "LaunchTemplate": {"LaunchTemplateId": self.template, "Version": "1"},
                **settings,
            }
        )
        if self.hardware.boots:
            self.await_size(name, size)
        return name

    def group(self, name: str) -> Json:
        return self.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"][0]

    def members(self, name: str, state: str = "InService") -> list[Json]:
        return [one for one in self.group(name)["Instances"] if one["LifecycleState"] == state]

    def ids(self, name: str, state: str = "InService") -> set[str]:
        return {one["InstanceId"] for one in self.members(name, state)}

    def versions(self, name: str) -> list[str]:
        return sorted(one["LaunchTemplate"]["Version"] for one in self.members(name))

    def await_size(self, name: str, size: int) -> set[str]:
        """So many in service, and nothing else."""
        until(
            f"{name} of {size}", lambda: len(self.group(name)["Instances"]) == len(self.members(name)) == size
        ) if size else until(f"{name} of 0", lambda: not self.group(name)["Instances"])
        return self.ids(name)

    def activities(self, name: str) -> list[Json]:
        return list(self.autoscaling.describe_scaling_activities(AutoScalingGroupName=name)["Activities"])

    def registered(self) -> dict[str, str]:
        found = self.elbv2.describe_target_health(TargetGroupArn=self.targets)["TargetHealthDescriptions"]
        return {item["Target"]["Id"]: item["TargetHealth"]["State"] for item in found}
