"""Fleets over instances that really boot, and over a restart of the twin."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bicoastal.twin.api import Watcher
from bicoastal.twin.controller import Loop
from bicoastal.twin.fleets.controller import Fleets
from bicoastal.twin.ground import ground
from bicoastal.twin.instances.controller import Instances
from bicoastal.twin.processes import end_leftovers
from tests.twin.fleets.place import BRISK, REGION, until


@pytest.fixture
def folder() -> Iterator[Path]:
    root = Path(tempfile.mkdtemp(prefix="bicoastal-twin-"))
    root.chmod(0o755)
    yield root
    shutil.rmtree(root, ignore_errors=True)


class Rooms:
    """Both rooms at work."""

    def __init__(self, made: Any) -> None:
        self.autoscaling, self.ec2 = (made.api.client(service, REGION) for service in ("autoscaling", "ec2"))
        self.instances = Instances(made)
        self.fleets = Fleets(made)
        self.loops: list[Loop[Any, Any]] = [Loop(self.instances, 1.0), Loop(self.fleets, 1.0)]
        self.fleets.wake = self.loops[1].poke

    def poke(self) -> None:
        for loop in self.loops:
            loop.poke()

    def serving(self) -> set[str]:
        groups = self.autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"]
        return {
            one["InstanceId"] for group in groups for one in group["Instances"] if one["LifecycleState"] == "InService"
        }

    def hosts(self) -> set[str]:
        return {host.id for host in self.instances.hosts()}

    def size(self, count: int) -> None:
        self.autoscaling.set_desired_capacity(AutoScalingGroupName="fleet", DesiredCapacity=count)

    def await_both(self, count: int) -> set[str]:
        """As many in service as run."""
        until(f"{count} instances", lambda: len(self.serving()) == count and self.serving() == self.hosts())
        return self.serving()


@contextmanager
def rooms(folder: Path) -> Iterator[Rooms]:
    with ground(folder, ("instances", "fleets"), (REGION, "us-west-2"), BRISK) as made:
        found = Rooms(made)
        watcher = Watcher(made.api, found.poke)
        try:
            for loop in found.loops:
                loop.start()
            watcher.start()
            yield found
        finally:
            watcher.stop()
            for loop in found.loops:
                loop.stop()
            end_leftovers(made.home, 1)


def _group(found: Rooms) -> None:
    vpc = found.ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        found.ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.9.{number}.0/24", AvailabilityZone=f"{REGION}{zone}")[
            "Subnet"
        ]["SubnetId"]
        for number, zone in enumerate("ab")
    ]
    found.ec2.create_launch_template(
        LaunchTemplateName="servers", LaunchTemplateData={"ImageId": "ami-12345678", "InstanceType": "t3.micro"}
    )
    found.autoscaling.create_auto_scaling_group(
        AutoScalingGroupName="fleet", MinSize=0, MaxSize=4, DesiredCapacity=2, VPCZoneIdentifier=",".join(subnets),
        LaunchTemplate={"LaunchTemplateName": "servers", "Version": "1"},
    )  # fmt: skip


def test_capacity_is_machines_that_run_and_outlives_a_restart(folder: Path) -> None:
    with rooms(folder) as found:
        _group(found)
        both = found.await_both(2)
        crashed = min(both)
        found.instances.crash(REGION, crashed)
        until("a replacement", lambda: len(found.serving() - both) == 1)
        kept = found.await_both(2)
        assert crashed not in kept
    with rooms(folder) as found:
        assert found.await_both(2) == kept
        found.size(3)
        assert kept < found.await_both(3)
        found.size(0)
        found.await_both(0)
