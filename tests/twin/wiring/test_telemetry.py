"""Faults of metrics and logs: a fleet that does not grow, and lines that are kept for ever or not at all.

The fleet's instances boot nothing; the CloudWatch agent runs for one machine more, with the configuration of the
deployed launch template and the rights of the deployed role.
"""

from __future__ import annotations

import base64
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import yaml

from bicoastal.twin.api import Watcher
from bicoastal.twin.controller import Loop
from bicoastal.twin.fleets.controller import Fleets
from bicoastal.twin.ground import Ground, ground
from bicoastal.twin.interfaces import Measurement
from bicoastal.twin.metrics.controller import Metrics
from bicoastal.twin.pace import Pace
from tests.support.cloudformation import Walker
from tests.support.specs import spec
from tests.support.wiring import changed, fault, walker_of
from tests.twin.conftest import REGIONS
from tests.twin.fleets.place import Hardware
from tests.twin.metrics.conftest import Machine
from tests.twin.metrics.test_agent import logged, said, until

Json = Any
HOME, _ = REGIONS
SERVICE, ACCESS = f"service/{HOME}", f"access/{HOME}"
FLEET = "orders-production-fleet"
AGENT = "/opt/bicoastal/etc/cloudwatch-agent.json"
LOG = "/opt/bicoastal/log/application.log"
APPLICATION = "/orders-production/application"
BRISK = Pace("brisk", 60)
"""A CloudWatch minute is a second."""
ANY_GROUP = """\
- Sid: AsManyAgentsMay
                Effect: Allow
                Action: logs:CreateLogGroup
                Resource: "*"
"""
_numbers = count(1)


@dataclass
class Traffic:
    """What the balancer would measure: more requests than the fleet is to take, in each minute."""

    walker: Walker
    name: str = "balancers"
    minutes: int = 0

    def measurements(self) -> Iterable[Measurement]:
        self.minutes += 1
        outputs = self.walker.outputs[SERVICE]
        which = {"TargetGroup": outputs["TargetGroupFullName"], "LoadBalancer": outputs["BalancerFullName"]}
        yield Measurement(HOME, "AWS/ApplicationELB", "RequestCountPerTarget", which, "Count", 5000.0)


@dataclass
class Site:
    """The deployment, with the metrics room at work."""

    ground: Ground
    walker: Walker
    metrics: Metrics
    traffic: Traffic

    @contextmanager
    def machine(self, used_bytes: int = 250) -> Iterator[Machine]:
        """An instance of the fleet, of 1,000 bytes, with its agent."""
        id_ = f"i-{next(_numbers)}"
        root = self.ground.home.root / "instances" / HOME / id_
        root.mkdir(parents=True)
        address = self.ground.addresses.of(f"instance/{HOME}/{id_}")
        tags = {"aws:autoscaling:groupName": FLEET}
        role = f"orders-production-instance-{HOME}"
        machine = Machine(self.ground, id_, root, address, role, used_bytes=used_bytes, tags=tags)
        for file in self.user_data["write_files"]:
            if file["path"] in (AGENT, LOG):
                machine.write(file["path"], file["content"])
        agent = self.metrics.start_agent(machine, Path(AGENT))
        agent.start()
        try:
            yield machine
        finally:
            agent.stop()

    @property
    def user_data(self) -> Json:
        """Of the launch template as it is deployed."""
        ec2 = self.ground.api.client("ec2", HOME)
        (template,) = ec2.describe_launch_templates()["LaunchTemplates"]
        (version,) = ec2.describe_launch_template_versions(
            LaunchTemplateId=template["LaunchTemplateId"], Versions=["$Latest"]
        )["LaunchTemplateVersions"]
        return yaml.safe_load(base64.b64decode(version["LaunchTemplateData"]["UserData"]))

    @property
    def capacity(self) -> int:
        """How many instances the fleet should have."""
        autoscaling = self.ground.api.client("autoscaling", HOME)
        (group,) = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[FLEET])["AutoScalingGroups"]
        return int(group["DesiredCapacity"])

    def minutes(self, number: int) -> None:
        """Let so many pass."""
        end = self.traffic.minutes + number
        until(lambda: self.traffic.minutes >= end, f"{number} CloudWatch minutes")

    def group(self, name: str) -> Json:
        """A log group; None where there is none."""
        found = self.ground.api.client("logs", HOME).describe_log_groups(logGroupNamePrefix=name)["logGroups"]
        return found[0] if found else None


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    root = Path(tempfile.mkdtemp(prefix="bicoastal-twin-"))
    root.chmod(0o755)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, root, ignore_errors=True)
        made = stack.enter_context(ground(root, ("metrics", "fleets", "instances"), REGIONS, BRISK))
        hardware = Hardware(made)
        hardware.signals = lambda _: ("orders-production-service", "Fleet", "SUCCESS")
        fleets: Loop[str, Any] = Loop(Fleets(made), 0.2)
        fleets.start()
        stack.callback(fleets.stop)
        for react in (fleets.poke, hardware.look):
            watcher = Watcher(made.api, react)
            watcher.start()
            stack.callback(watcher.stop)
        walker = walker_of(spec(), made, SERVICE)
        walker.up()
        traffic = Traffic(walker)
        metrics = Metrics(made, (traffic,))
        metrics.start()
        stack.callback(metrics.stop)
        yield Site(made, walker, metrics, traffic)


def test_1_memory_alarm_with_dimensions_that_nobody_publishes(site: Site) -> None:
    """Memory is full and traffic high, and the fleet stays as small as it is: the agent publishes for the fleet."""
    metric = "MetricName: mem_used_percent\n              Dimensions:\n                - {Name: "
    for_one = changed(
        "ScaleOut", f"{metric}AutoScalingGroupName, Value: !Ref Fleet}}", f"{metric}InstanceId, Value: i-1}}"
    )
    with site.machine(used_bytes=950):
        with fault(site.walker, SERVICE, for_one):
            before = site.capacity
            site.minutes(6)
            assert site.capacity == before == 2
        until(lambda: site.capacity > 2, "the fleet grows")


def test_7_log_group_made_by_the_agent(site: Site) -> None:
    """The lines are there, and will be for ever; a role that may make no groups would have lost them instead."""
    renamed = changed("ApplicationLog", f"LogGroupName: {APPLICATION}\n", "LogGroupName: /elsewhere\n")
    declared = site.group(APPLICATION)
    assert declared["retentionInDays"] == 30
    making = changed("InstanceRole", "- Sid: WriteLogs\n", f"{ANY_GROUP}              - Sid: WriteLogs\n")
    with fault(site.walker, SERVICE, renamed):
        with site.machine() as machine:
            machine.write(LOG, "lost\n")
            until(lambda: "AccessDenied" in said(machine), "the refusal in the agent's log")
        assert site.group(APPLICATION) is None
        with fault(site.walker, ACCESS, making), site.machine() as machine:
            machine.write(LOG, "kept for ever\n")
            until(lambda: logged(site.ground, APPLICATION) == ["kept for ever"], "the line")
        assert "retentionInDays" not in site.group(APPLICATION)
        site.ground.api.client("logs", HOME).delete_log_group(logGroupName=APPLICATION)
    with site.machine() as machine:
        machine.write(LOG, "kept for thirty days\n")
        until(lambda: logged(site.ground, APPLICATION) == ["kept for thirty days"], "the line")
    assert site.group(APPLICATION)["retentionInDays"] == 30


def test_8_role_without_put_log_events(site: Site) -> None:
    """The instance runs and serves, and of what it writes nothing arrives."""
    writes = "- Sid: WriteLogs\n                Effect: Allow\n                Action:\n"
    rest = "                  - logs:CreateLogStream\n                  - logs:DescribeLogStreams\n"
    mute = changed("InstanceRole", f"{writes}{rest}                  - logs:PutLogEvents\n", f"{writes}{rest}")
    with fault(site.walker, ACCESS, mute), site.machine() as machine:
        machine.write(LOG, "unheard\n")
        until(lambda: "AccessDenied" in said(machine), "the refusal in the agent's log")
        assert logged(site.ground, APPLICATION, machine.id) == []
    with site.machine() as machine:
        machine.write(LOG, "heard\n")
        until(lambda: logged(site.ground, APPLICATION, machine.id) == ["heard"], "the line")
