"""Records of Auto Scaling groups, of their instances and activities: what every handler about groups reads and changes.

A group's record is changed by requests on the event loop and by CloudFormation on worker threads: `LOCK` is held while
it is. `changed` counts its states, so that what a controller has decided on an older one is not done.

What AWS answers has AWS's names; what only the twin keeps begins with `_`.
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Mapping
from typing import Any

from bicoastal.twin.cloud import emulator, planes
from bicoastal.twin.cloud.handlers import instances
from bicoastal.twin.cloud.registry import ServiceError

Json = Any
Record = dict[str, Json]

LOCK = threading.RLock()
CAPACITY = ("Pending", "InService")
"""Lifecycle states of instances that are part of the capacity."""
_KEPT_ACTIVITIES = 200


def stamp(at: float | None = None) -> str:
    """A time as EC2 Auto Scaling writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))


def group(name: Json) -> Record:
    """A group. Raises ServiceError where there is none."""
    found = emulator.store("autoscaling", "_asgs").get(name)
    if found is None:
        raise invalid(f"AutoScalingGroup name not found - no such group: {name}")
    record: Record = found
    return record


def groups() -> list[Record]:
    """All of the region."""
    return list(emulator.store("autoscaling", "_asgs").values())


def member_of(id_: Json) -> tuple[Record, Record]:
    """An instance's group, and the instance. Raises ServiceError where no group has it."""
    for record in groups():
        for member in record["Instances"]:
            if member["InstanceId"] == id_:
                return record, member
    raise invalid(f"Instance Id not found - No managed instance found for instance ID: {id_}")


def invalid(message: str) -> ServiceError:
    """What EC2 Auto Scaling refuses nearly everything with."""
    return ServiceError("ValidationError", message)


def changed(record: Record) -> None:
    """The group is in another state: say so after every change that a decision may rest on."""
    record["_seen"] = int(record.get("_seen", 0)) + 1
    emulator.store("autoscaling", "_asgs")[record["AutoScalingGroupName"]] = record


def capacity(record: Record) -> list[Record]:
    """The instances that are pending or in service."""
    return [member for member in record["Instances"] if member["LifecycleState"] in CAPACITY]


def is_suspended(record: Record, process: str) -> bool:
    """Whether a process of the group is."""
    return any(item["ProcessName"] == process for item in record.get("SuspendedProcesses", ()))


def set_desired(record: Record, desired: int, because: str) -> None:
    """Change the desired capacity; `because` is AWS's text up to `changing the desired capacity`."""
    with LOCK:
        before = int(record["DesiredCapacity"])
        if before != desired:
            record["_cause"] = f"At {stamp()} {because} changing the desired capacity from {before} to {desired}."
            record["_owed"] = []
        record["DesiredCapacity"] = desired
        changed(record)


def begin_activity(record: Record, member: Mapping[str, Json], description: str, cause: str, status: str) -> str:
    """Write down that something was begun; returns its id."""
    id_ = str(uuid.uuid4())
    where = {"Subnet ID": member.get("_subnet", ""), "Availability Zone": member.get("AvailabilityZone", "")}
    activity = {
        "ActivityId": id_,
        "AutoScalingGroupName": record["AutoScalingGroupName"],
        "AutoScalingGroupARN": record["AutoScalingGroupARN"],
        "Description": description,
        "Cause": cause,
        "StartTime": stamp(),
        "StatusCode": status,
        "Progress": 0 if status == "Failed" else 30,
        "Details": json.dumps(where),
    }
    if status == "Failed":
        activity["EndTime"] = activity["StartTime"]
    activities = record.setdefault("_activities", [])
    activities.insert(0, activity)
    del activities[_KEPT_ACTIVITIES:]
    return id_


def change_activity(record: Record, id_: str, status: str, message: str = "") -> None:
    """How it stands; one that is over has its end."""
    for activity in record.get("_activities", ()):
        if activity["ActivityId"] == id_:
            activity["StatusCode"] = status
            if message:
                activity["StatusMessage"] = message
            if status in ("Successful", "Failed", "Cancelled"):
                activity.update(Progress=100, EndTime=stamp())
            else:
                activity["Progress"] = 60


def activity_of(record: Record, id_: str) -> Record:
    """An activity."""
    return next(activity for activity in record.get("_activities", ()) if activity["ActivityId"] == id_)


def registered(record: Record, member: Mapping[str, Json], arns: list[str] | None = None) -> None:
    """The instance is a target of the group's target groups, or of these."""
    _targets("RegisterTargets", record, member, arns)


def deregistered(record: Record, member: Mapping[str, Json], arns: list[str] | None = None) -> None:
    """It is a target no more; its connections drain."""
    _targets("DeregisterTargets", record, member, arns)


def _targets(action: str, record: Record, member: Mapping[str, Json], arns: list[str] | None) -> None:
    for arn in record.get("TargetGroupARNs", ()) if arns is None else arns:
        # A target group may go before the group that names it.
        if arn in emulator.store("alb", "_tgs"):
            emulator.query("alb", action, TargetGroupArn=arn, Targets=[{"Id": member["InstanceId"]}])


def set_target_groups(record: Record, arns: list[str]) -> None:
    """Change them: what is in service becomes a target of the new ones, and leaves the former ones."""
    with LOCK:
        before = list(record.get("TargetGroupARNs", ()))
        record["TargetGroupARNs"] = list(dict.fromkeys(arns))
        for member in record["Instances"]:
            if member["LifecycleState"] == "InService":
                registered(record, member, [arn for arn in record["TargetGroupARNs"] if arn not in before])
                deregistered(record, member, [arn for arn in before if arn not in record["TargetGroupARNs"]])
        changed(record)


def retire(record: Record, member: Record, cause: str) -> str:
    """Take an instance out of service: deregistered now, ended when it has drained. Returns the activity's id."""
    with LOCK:
        draining = member["LifecycleState"] == "InService" and bool(record.get("TargetGroupARNs"))
        if draining:
            deregistered(record, member)
            member["_drained_from"] = time.time()
        if member["LifecycleState"] == "Pending":
            change_activity(record, member.get("_launching", ""), "Cancelled")
        member["LifecycleState"] = "Terminating"
        status = "WaitingForELBConnectionDraining" if draining else "InProgress"
        waiting = " - Waiting For ELB Connection Draining." if draining else ""
        description = f"Terminating EC2 instance: {member['InstanceId']}{waiting}"
        member["_ending"] = begin_activity(record, member, description, cause, status)
        changed(record)
        return str(member["_ending"])


def in_grace(record: Record, member: Mapping[str, Json]) -> bool:
    """Whether health checks do not count yet."""
    served = float(member.get("_served", 0))
    return not served or time.time() < served + planes.seconds(float(record.get("HealthCheckGracePeriod") or 0))


def to_zero(record: Record) -> None:
    """All instances are to end, those that are protected or stand by as well, and no suspended process keeps them."""
    with LOCK:
        record.update(MinSize=0, MaxSize=0, SuspendedProcesses=[])
        for member in list(record["Instances"]):
            member["ProtectedFromScaleIn"] = False
            if member["LifecycleState"] == "Standby":
                retire(
                    record, member, f"At {stamp()} an instance was taken out of service in response to a user request."
                )
        set_desired(record, 0, "a user request update of AutoScalingGroup constraints to min: 0, max: 0, desired: 0")


def remove(name: str) -> None:
    """The group is no more, nor what belongs to it."""
    with LOCK:
        emulator.store("autoscaling", "_asgs").pop(name, None)
        emulator.store("autoscaling", "_tags").pop(name, None)
        emulator.of_service("autoscaling", "_delete_group_hooks")(name)
        emulator.of_service("autoscaling", "_delete_group_policies")(name)


def state_of(id_: str) -> tuple[str, bool | None]:
    """An instance's state and whether EC2's status checks pass; `gone` for one that EC2 has forgotten."""
    try:
        found = instances.record(id_)
    except ServiceError:
        return "gone", None
    return str(found["State"]["Name"]), found.get("Reachable")
