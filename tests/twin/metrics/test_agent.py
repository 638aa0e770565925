"""The CloudWatch agent of an instance: real datagrams, real files, its role's rights, and what arrives."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bicoastal.core.errors import SystemFault
from bicoastal.twin.ground import Ground
from bicoastal.twin.metrics.agent import LOG
from bicoastal.twin.metrics.configuration import Configuration
from bicoastal.twin.metrics.controller import Metrics
from tests.support.deployed import service, written_files
from tests.support.specs import spec
from tests.twin.metrics.conftest import ALL, HOME, Machine, Machines, allow

Json = Any
CONFIGURATION = "/opt/agent.json"
DEADLINE_S = 30.0


@pytest.fixture
def metrics(twin: Ground) -> Iterator[Metrics]:
    made = Metrics(twin)
    made.start()
    yield made
    made.stop()


def template_configuration() -> Json:
    """Of the launch template that the product writes."""
    return json.loads(
        written_files(service(spec()).resources["LaunchTemplate"])["/opt/bicoastal/etc/cloudwatch-agent.json"]
    )


def configured(machine: Machine, document: Json) -> Path:
    machine.write(CONFIGURATION, json.dumps(document), more=False)
    return Path(CONFIGURATION)


def files(*entries: Json) -> Json:
    return {"logs": {"logs_collected": {"files": {"collect_list": list(entries)}}}}


def entry(group: str, path: str = "/var/log/app.log", stream: str = "{instance_id}", **others: Json) -> Json:
    return {"file_path": path, "log_group_name": group, "log_stream_name": stream, **others}


def until(condition: Callable[[], Json], what: str) -> Json:
    end = time.monotonic() + DEADLINE_S
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        threading.Event().wait(0.1)
    raise AssertionError(f"not within {DEADLINE_S:.0f} s: {what}")


def published(ground: Ground, namespace: str) -> dict[tuple[str, str], Json]:
    """Metric name and dimensions to the last point's values."""
    points = ground.api.report("cloudwatch.data", HOME, after=0)["points"]
    return {
        (point[2], ",".join(f"{one}={other}" for one, other in point[3])): point
        for point in points
        if point[1] == namespace
    }


def logged(ground: Ground, group: str, stream: str = "") -> list[str]:
    logs = ground.api.client("logs", HOME)
    try:
        found = logs.filter_log_events(logGroupName=group, **({"logStreamNames": [stream]} if stream else {}))
    except logs.exceptions.ResourceNotFoundException:
        return []
    return [event["message"] for event in found["events"]]


def said(machine: Machine) -> str:
    log = machine.root / LOG
    return log.read_text() if log.exists() else ""


def send(machine: Machine, *lines: str) -> None:
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as door:
        for line in lines:
            door.sendto(line.encode(), (machine.address, 8125))


def test_the_templates_agent_publishes_with_the_fleets_dimensions(
    twin: Ground, metrics: Metrics, machines: Machines
) -> None:
    document = template_configuration()
    namespace = document["metrics"]["namespace"]
    machine = machines(twin, "i-metrics", ALL)
    agent = metrics.start_agent(machine, configured(machine, document))
    agent.start()

    def all_there() -> bool:
        send(machine, "HeartbeatAge:2.500|g", "KitErrors:1|c", "KitErrors:2|c")
        wanted = {
            ("mem_used_percent", "AutoScalingGroupName=fleet"),
            ("HeartbeatAge", "AutoScalingGroupName=fleet"),
            ("HeartbeatAge", "AutoScalingGroupName=fleet,metric_type=gauge"),
            ("KitErrors", "AutoScalingGroupName=fleet"),
            ("disk_used_percent", "AutoScalingGroupName=fleet"),
            ("disk_used_percent", "AutoScalingGroupName=fleet,fstype=xfs,path=/"),
        }
        return wanted <= set(published(twin, namespace))

    until(all_there, "all metrics of the template")
    found = published(twin, namespace)
    assert found["mem_used_percent", "AutoScalingGroupName=fleet"][8] == [[25.0, 1.0]]
    assert found["HeartbeatAge", "AutoScalingGroupName=fleet"][8][0][0] == 2.5
    assert ("mem_used_percent", "InstanceId=i-metrics") not in found
    agent.stop()
    assert said(machine) == ""


def test_an_agent_may_publish_in_the_namespace_of_its_role_alone(
    twin: Ground, metrics: Metrics, machines: Machines
) -> None:
    only = allow("cloudwatch:PutMetricData", Condition={"StringEquals": {"cloudwatch:namespace": "Mine"}})
    machine = machines(twin, "i-namespace", only, allow("ec2:DescribeTags"))
    for namespace, arrives in (("Mine", True), ("Others", False)):
        collected = {"mem": {"measurement": ["mem_used_percent"]}}
        document = {"metrics": {"namespace": namespace, "metrics_collected": collected}}
        agent = metrics.start_agent(machine, configured(machine, document))
        agent.start()
        if arrives:
            until(lambda: published(twin, "Mine"), "data in the role's namespace")
            assert said(machine) == ""
        else:
            until(lambda: "AccessDenied" in said(machine), "the refusal in the agent's log")
            assert not published(twin, "Others")
        agent.stop()


def test_without_the_right_to_read_tags_nothing_is_published(
    twin: Ground, metrics: Metrics, machines: Machines
) -> None:
    machine = machines(twin, "i-untagged", allow("cloudwatch:PutMetricData"))
    document = {
        "metrics": {
            "namespace": "Untagged",
            "append_dimensions": {"AutoScalingGroupName": "${aws:AutoScalingGroupName}"},
            "metrics_collected": {"mem": {"measurement": ["used_percent"]}},
        }
    }
    agent = metrics.start_agent(machine, configured(machine, document))
    agent.start()
    until(lambda: "DescribeTags" in said(machine), "the refusal in the agent's log")
    assert not published(twin, "Untagged")
    agent.stop()


def test_lines_reach_the_declared_group_once_with_its_retention(
    twin: Ground, metrics: Metrics, machines: Machines
) -> None:
    logs = twin.api.client("logs", HOME)
    logs.create_log_group(logGroupName="/declared")
    logs.put_retention_policy(logGroupName="/declared", retentionInDays=30)
    streams = {"Resource": f"arn:aws:logs:{HOME}:{twin.api.endpoint.account}:log-group:/declared:*"}
    machine = machines(twin, "i-logs", allow("logs:CreateLogStream", "logs:PutLogEvents", **streams))
    machine.write("/var/log/app.log", "first\n")
    agent = metrics.start_agent(machine, configured(machine, files(entry("/declared"))))
    agent.start()
    until(lambda: logged(twin, "/declared", "i-logs") == ["first"], "the first line")
    machine.write("/var/log/app.log", "second\n")
    until(lambda: logged(twin, "/declared", "i-logs") == ["first", "second"], "the second line")
    machine.write("/var/log/app.log", "third\n", more=False)
    until(lambda: "third" in logged(twin, "/declared"), "a line of the truncated file")
    machine.write("/var/log/app.log", "at the end")
    agent.stop()
    assert logged(twin, "/declared") == ["first", "second", "third", "at the end"]
    (group,) = logs.describe_log_groups(logGroupNamePrefix="/declared")["logGroups"]
    assert group["retentionInDays"] == 30
    again = metrics.start_agent(machine, Path(CONFIGURATION))
    again.start()
    machine.write("/var/log/app.log", "\nnew life\n")
    until(lambda: logged(twin, "/declared")[-1] == "new life", "a line after the restart")
    again.stop()
    assert len(logged(twin, "/declared")) == 5, "nothing twice"


def test_a_group_that_the_agent_makes_has_no_retention(twin: Ground, metrics: Metrics, machines: Machines) -> None:
    """The seventh wiring fault: the group is not declared, and is there all the same, for ever."""
    machine = machines(twin, "i-group", ALL)
    machine.write("/var/log/app.log", "a line\n")
    machine.write("/var/log/other-1.log", "another\n")
    document = files(entry("/undeclared"), entry("/asked", "/var/log/other-*.log", retention_in_days=7))
    agent = metrics.start_agent(machine, configured(machine, document))
    agent.start()
    until(lambda: logged(twin, "/undeclared") and logged(twin, "/asked"), "both groups")
    agent.stop()
    logs = twin.api.client("logs", HOME)
    (undeclared,) = logs.describe_log_groups(logGroupNamePrefix="/undeclared")["logGroups"]
    (asked,) = logs.describe_log_groups(logGroupNamePrefix="/asked")["logGroups"]
    assert "retentionInDays" not in undeclared
    assert asked["retentionInDays"] == 7


def test_a_role_without_the_right_to_put_events_has_no_logs(twin: Ground, metrics: Metrics, machines: Machines) -> None:
    """The eighth wiring fault."""
    twin.api.client("logs", HOME).create_log_group(logGroupName="/denied")
    machine = machines(twin, "i-denied", allow("logs:CreateLogStream", "logs:CreateLogGroup"))
    machine.write("/var/log/app.log", "a line\n")
    agent = metrics.start_agent(machine, configured(machine, files(entry("/denied"))))
    agent.start()
    until(lambda: "AccessDenied" in said(machine), "the refusal in the agent's log")
    agent.stop()
    assert logged(twin, "/denied") == []
    assert said(machine).count("AccessDenied") == 1, "it is said once"


def test_an_instance_without_a_role_says_so(twin: Ground, metrics: Metrics, machines: Machines) -> None:
    machine = machines(twin, "i-roleless", ALL)
    machine.role = "no-such-role"
    machine.write("/var/log/app.log", "a line\n")
    agent = metrics.start_agent(machine, configured(machine, files(entry("/roleless"))))
    agent.start()
    until(lambda: "no-such-role" in said(machine), "the refusal in the agent's log")
    agent.stop()


def test_a_configuration_that_is_none_is_refused(twin: Ground, metrics: Metrics, machines: Machines) -> None:
    machine = machines(twin, "i-broken", ALL)
    for text in ("{", '{"logs": {"logs_collected": {"files": {"collect_list": [{}]}}}}'):
        machine.write(CONFIGURATION, text, more=False)
        with pytest.raises(SystemFault, match="does not start"):
            metrics.start_agent(machine, Path(CONFIGURATION)).start()
    with pytest.raises(SystemFault, match="does not start"):
        metrics.start_agent(machine, Path("/nowhere.json")).start()


def test_what_is_not_collected_here_is_said_in_the_agents_log(
    twin: Ground, metrics: Metrics, machines: Machines
) -> None:
    machine = machines(twin, "i-more", ALL)
    collected = {"cpu": {"measurement": ["cpu_usage_idle"]}, "mem": {"measurement": ["mem_cached"]}}
    agent = metrics.start_agent(machine, configured(machine, {"metrics": {"metrics_collected": collected}}))
    agent.start()
    agent.stop()
    assert "cpu is not collected here" in said(machine)
    assert "mem_cached is not collected here" in said(machine)


def test_the_configuration_of_the_template_is_understood_as_a_whole() -> None:
    found = Configuration.read(json.dumps(template_configuration()))
    assert found.unknown == ()
    assert found.statsd is not None
    assert (found.statsd.port, found.statsd.collect_s, found.statsd.aggregate_s) == (8125, 10, 60)
    assert [file.path for file in found.files][:2] == [
        "/opt/bicoastal/log/application.log",
        "/opt/bicoastal/log/kit.log",
    ]
    assert found.aggregation == (("AutoScalingGroupName",),)


def test_a_host_that_is_gone_is_silent(twin: Ground, machines: Machines) -> None:
    machine = machines(twin, "i-gone", ALL)
    there = threading.Event()
    metrics = Metrics(twin, find_host=lambda *name: machine if there.is_set() and name == (HOME, machine.id) else None)
    metrics.start()
    machine.write("/var/log/app.log", "a line\n")
    agent = metrics.start_agent(machine, configured(machine, files(entry("/gone"))))
    agent.start()
    agent.stop()
    assert logged(twin, "/gone") == []
    there.set()
    agent = metrics.start_agent(machine, configured(machine, files(entry("/gone"))))
    agent.start()
    metrics.stop()  # ships what is left
    assert logged(twin, "/gone") == ["a line"]
    with pytest.raises(SystemFault, match="have ended"):
        metrics.start_agent(machine, Path(CONFIGURATION)).start()
