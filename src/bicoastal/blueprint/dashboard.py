"""One screen for each region, read from the top in an incident: is it served, is there room, where is the database.

Dashboards are an account's, not a region's: the name carries the region, or the second one would overwrite the first.
It adds to the stack of `monitoring` and decides nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from bicoastal.blueprint.stack import Resource, Stack
from bicoastal.blueprint.telemetry import metric_namespace
from bicoastal.cfn.intrinsics import Value, sub

_WIDTH, _HEIGHT = 12, 6
_ELB = ["AWS/ApplicationELB"]


def dashboard(stack: Stack, names: Mapping[str, Value], alarms: Sequence[Resource]) -> Resource:
    """The region's dashboard. `names`: its Balancer, TargetGroup, Fleet, Database and Vault, as metrics know them."""
    return stack.add(
        "Dashboard",
        "AWS::CloudWatch::Dashboard",
        {
            "DashboardName": sub(f"{stack.spec.prefix}-${{AWS::Region}}"),
            "DashboardBody": sub(_text(_widgets(stack, alarms)), names),
        },
    )


def _widgets(stack: Stack, alarms: Sequence[Resource]) -> list[dict[str, Any]]:
    kit = [metric_namespace(stack.spec)]
    fleet = ["AutoScalingGroupName", "${Fleet}"]
    balancer = ["LoadBalancer", "${Balancer}"]
    group = ["TargetGroup", "${TargetGroup}", *balancer]
    database = ["AWS/RDS"], ["DBInstanceIdentifier", "${Database}"]
    limit = stack.spec.instances.max
    return [
        _graph("Requests and errors (a minute)", "Sum", [
            [*_ELB, "RequestCount", *balancer],
            [*_ELB, "HTTPCode_ELB_5XX_Count", *balancer],
            [*_ELB, "HTTPCode_Target_5XX_Count", *balancer],
        ]),
        _graph("Answering in (seconds)", "p95", [[*_ELB, "TargetResponseTime", *balancer]]),
        _graph("Instances", "Maximum", [
            ["AWS/AutoScaling", "GroupInServiceInstances", *fleet],
            ["AWS/AutoScaling", "GroupDesiredCapacity", *fleet],
            [*_ELB, "HealthyHostCount", *group],
            [*_ELB, "UnHealthyHostCount", *group],
        ], line=("maximum", limit)),
        _graph("Load of the fleet (percent; requests a minute and instance)", "Average", [
            ["AWS/EC2", "CPUUtilization", *fleet],
            [*kit, "mem_used_percent", *fleet],
            [*_ELB, "RequestCountPerTarget", *group, {"stat": "Sum", "yAxis": "right"}],
        ]),
        _graph("Where the database is: primary here, fenced", "Maximum", [
            [*kit, "Primary", *fleet], [*kit, "Fenced", *fleet],
        ]),
        _graph("Age of the heartbeat (seconds): what a failover would lose", "Maximum", [
            [*kit, "HeartbeatAge", *fleet],
        ], line=("promised RPO", stack.spec.promise.rpo_seconds)),
        _graph("Changes that wait for the replica (bytes)", "Maximum", [[*kit, "SlotRetainedBytes", *fleet]]),
        _graph("Sessions that read; failed rounds of the kit", "Maximum", [
            [*kit, "ReadingSessions", *fleet],
            [*kit, "KitErrors", *fleet, {"stat": "Sum"}],
        ]),
        _graph("Database: CPU (percent), connections", "Average", [
            [*database[0], "CPUUtilization", *database[1]],
            [*database[0], "DatabaseConnections", *database[1], {"yAxis": "right"}],
        ]),
        _graph("Database: free storage (bytes)", "Minimum", [[*database[0], "FreeStorageSpace", *database[1]]]),
        _graph("Backup jobs completed and failed (a day)", "Sum", [
            ["AWS/Backup", "NumberOfBackupJobsCompleted", "BackupVaultName", "${Vault}"],
            ["AWS/Backup", "NumberOfBackupJobsFailed", "BackupVaultName", "${Vault}"],
        ], period=86400),
        {"type": "alarm", "properties": {
            "title": "Alarms", "alarms": [f"${{{alarm.logical_id}.Arn}}" for alarm in alarms],
        }},
    ]  # fmt: skip


def _graph(
    title: str, statistic: str, metrics: Sequence[Any], *, line: tuple[str, int] | None = None, period: int = 60
) -> dict[str, Any]:
    properties: dict[str, Any] = {"title": title, "region": "${AWS::Region}", "stat": statistic, "period": period}
    if line:
        label, value = line
        properties["annotations"] = {"horizontal": [{"label": label, "value": value}]}
    return {"type": "metric", "properties": {**properties, "metrics": list(metrics)}}


def _text(widgets: Sequence[dict[str, Any]]) -> str:
    """JSON with one line for each metric: the template is read by people, too."""
    placed = ",\n".join(_widget(widget, position) for position, widget in enumerate(widgets))
    return f'{{"start": "-PT3H", "widgets": [\n{placed}\n]}}'


def _widget(widget: dict[str, Any], position: int) -> str:
    """Two in a row, in reading order; the last property is a list, and the only long one."""
    place = {"x": position % 2 * _WIDTH, "y": position // 2 * _HEIGHT, "width": _WIDTH, "height": _HEIGHT}
    head = json.dumps({"type": widget["type"], **place})[:-1]
    *short, (name, items) = widget["properties"].items()
    inner = json.dumps(dict(short))[:-1]
    lines = ",\n".join(f"    {json.dumps(item)}" for item in items)
    return f' {head}, "properties":\n  {inner}, "{name}": [\n{lines}]}}}}'
