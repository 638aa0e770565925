"""Instance refreshes: asked for, described, cancelled. The fleets' controller rolls; without it nothing does.

Checkpoints, alarms and automatic rollback are refused: a refresh that ignored them would be another one than asked.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from typing import Any

from bicoastal.twin.cloud import planes
from bicoastal.twin.cloud.answers import Items
from bicoastal.twin.cloud.handlers.group_template import launch_template
from bicoastal.twin.cloud.handlers.groups import LOCK, Record, changed, group, invalid, stamp
from bicoastal.twin.cloud.registry import Refused, ServiceError

Json = Any

_UNDER_WAY = ("Pending", "InProgress", "Cancelling")
_LEFT_OUT = ("CheckpointPercentages", "CheckpointDelay", "AlarmSpecification", "AutoRollback", "BakeTime")
_FAILED = "The instance refresh could not replace an instance within an hour."


def start(request: Mapping[str, Json]) -> Mapping[str, Json]:
    """StartInstanceRefresh."""
    record = group(request.get("AutoScalingGroupName"))
    preferences = _preferences(request.get("Preferences") or {})
    wanted = (request.get("DesiredConfiguration") or {}).get("LaunchTemplate")
    with LOCK:
        if active_refresh(record):
            raise ServiceError(
                "InstanceRefreshInProgress",
                "An Instance Refresh is already in progress and blocks the execution of this Instance Refresh.",
            )
        refresh: Record = {
            "InstanceRefreshId": str(uuid.uuid4()),
            "AutoScalingGroupName": record["AutoScalingGroupName"],
            "Status": "Pending",
            "StartTime": stamp(),
            "PercentageComplete": 0,
            "InstancesToUpdate": 0,
            "Preferences": preferences,
            "_started": time.time(),
            "_progressed": time.time(),
            "_total": -1,
            "_template": _template(wanted),
        }
        record.setdefault("InstanceRefreshes", []).insert(0, refresh)
        if not planes.attached("fleets"):
            _end(record, refresh, "Successful")
        changed(record)
    return {"InstanceRefreshId": refresh["InstanceRefreshId"]}


def _preferences(given: Mapping[str, Json]) -> Record:
    for name in _LEFT_OUT:
        if str(given.get(name, "false")).lower() != "false":
            raise invalid(f"Preferences.{name} is not run by the twin.")
    found: Record = {
        name: int(given[name])
        for name in ("MinHealthyPercentage", "MaxHealthyPercentage", "InstanceWarmup")
        if name in given
    }
    least, most = found.get("MinHealthyPercentage", 90), found.get("MaxHealthyPercentage", 100)
    if not 0 <= least <= 100 or not 100 <= most <= 200 or most - least > 100:
        raise invalid("MinHealthyPercentage must be 0 to 100, MaxHealthyPercentage 100 to 200, and 100 apart at most.")
    if "MaxHealthyPercentage" in found and "MinHealthyPercentage" not in found:
        raise invalid("MinHealthyPercentage must be specified together with MaxHealthyPercentage.")
    if "SkipMatching" in given:
        found["SkipMatching"] = str(given["SkipMatching"]).lower() == "true"
    return found


def _template(wanted: Json) -> Record | None:
    try:
        return launch_template(wanted) if wanted else None
    except Refused as error:
        raise invalid(str(error)) from error


def describe(request: Mapping[str, Json]) -> Mapping[str, Json]:
    """DescribeInstanceRefreshes, the last one first."""
    record = group(request.get("AutoScalingGroupName"))
    wanted = request.get("InstanceRefreshIds")
    found = [
        {name: value for name, value in refresh.items() if not name.startswith("_")}
        for refresh in record.get("InstanceRefreshes", ())
        if not wanted or refresh["InstanceRefreshId"] in wanted
    ]
    return {"InstanceRefreshes": Items("member", found)}


def cancel(request: Mapping[str, Json]) -> Mapping[str, Json]:
    """CancelInstanceRefresh: what was replaced stays so."""
    record = group(request.get("AutoScalingGroupName"))
    with LOCK:
        refresh = active_refresh(record)
        if refresh is None:
            name = record["AutoScalingGroupName"]
            raise ServiceError(
                "ActiveInstanceRefreshNotFound",
                f"No in progress or pending Instance Refresh found for Auto Scaling group {name}",
            )
        refresh["StatusReason"] = "Cancelled due to user request."
        _end(record, refresh, "Cancelled")
        changed(record)
    return {"InstanceRefreshId": refresh["InstanceRefreshId"]}


def active_refresh(record: Record) -> Record | None:
    """The one that is under way."""
    return next((one for one in record.get("InstanceRefreshes", ()) if one["Status"] in _UNDER_WAY), None)


def note_refresh(record: Record, action: Mapping[str, Json]) -> None:
    """How far the controller is."""
    refresh = active_refresh(record)
    if refresh is None:
        return
    refresh.update(
        Status="InProgress",
        InstancesToUpdate=action["left"],
        PercentageComplete=max(action["percent"], refresh["PercentageComplete"]),
        _progressed=time.time(),
        _total=action.get("total", refresh["_total"]),
    )
    if action["status"] == "Failed":
        refresh["StatusReason"] = _FAILED
    if action["status"] in ("Successful", "Failed"):
        _end(record, refresh, action["status"])


def _end(record: Record, refresh: Record, status: str) -> None:
    refresh.update(Status=status, EndTime=stamp())
    if status == "Successful":
        refresh.update(PercentageComplete=100, InstancesToUpdate=0)
        if refresh["_template"]:
            record["LaunchTemplate"] = refresh["_template"]
    for member in record["Instances"]:
        if member.get("_leaving") == "refresh" and member["LifecycleState"] != "Terminating":
            member["_leaving"] = ""


ACTIONS = {
    "StartInstanceRefresh": start,
    "DescribeInstanceRefreshes": describe,
    "CancelInstanceRefresh": cancel,
}
