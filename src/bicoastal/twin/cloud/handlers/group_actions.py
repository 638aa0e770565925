"""Auto Scaling groups by API: described, sized, and what happens to single instances on request.

Nothing is launched or ended here: requests change what should be, and the fleets' controller makes it so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bicoastal.twin.cloud import emulator
from bicoastal.twin.cloud.answers import Items
from bicoastal.twin.cloud.handlers import groups
from bicoastal.twin.cloud.handlers.groups import LOCK, Record, changed, group, invalid, member_of, set_desired, stamp
from bicoastal.twin.cloud.registry import ServiceError

Json = Any

ALL_METRICS = (
    "GroupMinSize", "GroupMaxSize", "GroupDesiredCapacity", "GroupInServiceInstances", "GroupPendingInstances",
    "GroupStandbyInstances", "GroupTerminatingInstances", "GroupTotalInstances", "GroupInServiceCapacity",
    "GroupPendingCapacity", "GroupStandbyCapacity", "GroupTerminatingCapacity", "GroupTotalCapacity",
)  # fmt: skip
"""What a group publishes when MetricsCollection names none."""
PROCESSES = (
    "Launch", "Terminate", "AddToLoadBalancer", "AlarmNotification", "AZRebalance", "HealthCheck", "InstanceRefresh",
    "ReplaceUnhealthy", "ScheduledActions",
)  # fmt: skip
_ANSWERED = (
    "AutoScalingGroupName", "AutoScalingGroupARN", "MinSize", "MaxSize", "DesiredCapacity", "DefaultCooldown",
    "DefaultInstanceWarmup", "AvailabilityZones", "AvailabilityZoneDistribution", "TargetGroupARNs", "HealthCheckType",
    "HealthCheckGracePeriod", "CreatedTime", "VPCZoneIdentifier", "TerminationPolicies", "CapacityRebalance",
    "NewInstancesProtectedFromScaleIn", "InstanceMaintenancePolicy", "MaxInstanceLifetime", "LaunchTemplate",
    "LaunchConfigurationName", "Tags", "SuspendedProcesses", "Status",
)  # fmt: skip
_MEMBER = (
    "InstanceId", "InstanceType", "AvailabilityZone", "LifecycleState", "HealthStatus", "ProtectedFromScaleIn",
    "LaunchTemplate",
)  # fmt: skip


def describe(request: Mapping[str, Json]) -> Mapping[str, Json]:
    """DescribeAutoScalingGroups."""
    names = request.get("AutoScalingGroupNames")
    found = [record for record in groups.groups() if not names or record["AutoScalingGroupName"] in names]
    for condition in request.get("Filters", ()):
        found = [record for record in found if _passes(record, condition["Name"], condition.get("Values", ()))]
    return {"AutoScalingGroups": Items("member", [_answer(record) for record in found])}


def _passes(record: Record, name: str, values: list[str]) -> bool:
    tags = {tag["Key"]: tag["Value"] for tag in record.get("Tags", ())}
    if name == "tag-key":
        return any(key in values for key in tags)
    if name == "tag-value":
        return any(value in values for value in tags.values())
    if not name.startswith("tag:"):
        raise invalid(f"Filter type {name} is not correct. Allowed Filter types are: tag-key, tag-value, tag:<key>")
    return tags.get(name.removeprefix("tag:")) in values


def _answer(record: Record) -> Record:
    answer: Record = {
        name: Items("member", value) if isinstance(value, list) else value
        for name, value in record.items()
        if name in _ANSWERED and value not in (None, "", {})
    }
    answer["Instances"] = Items("member", [_member(member) for member in record["Instances"]])
    answer["EnabledMetrics"] = Items("member", record.get("EnabledMetrics", []))
    return answer


def _member(member: Record) -> Record:
    return {name: member[name] for name in _MEMBER if member.get(name) not in (None, "", {})}


def describe_instances(request: Mapping[str, Json]) -> Mapping[str, Json]:
    """DescribeAutoScalingInstances."""
    wanted = request.get("InstanceIds")
    found = [
        {**_member(member), "AutoScalingGroupName": record["AutoScalingGroupName"]}
        for record in groups.groups()
        for member in record["Instances"]
        if not wanted or member["InstanceId"] in wanted
    ]
    return {"AutoScalingInstances": Items("member", found)}


def describe_activities(request: Mapping[str, Json]) -> Mapping[str, Json]:
    """DescribeScalingActivities, the last one first."""
    name, wanted = request.get("AutoScalingGroupName"), request.get("ActivityIds")
    found = [activity for record in groups.groups() for activity in record.get("_activities", ())]
    chosen = [
        activity
        for activity in found
        if (not name or activity["AutoScalingGroupName"] == name) and (not wanted or activity["ActivityId"] in wanted)
    ]
    most = int(request.get("MaxRecords", 100))
    return {"Activities": Items("member", sorted(chosen, key=lambda one: str(one["StartTime"]), reverse=True)[:most])}


def set_desired_capacity(request: Mapping[str, Json]) -> Mapping[str, Json]:
    """SetDesiredCapacity, within the group's sizes."""
    record, desired = group(request.get("AutoScalingGroupName")), int(request["DesiredCapacity"])
    for bad, where, bound in (
        (desired > int(record["MaxSize"]), "above max", record["MaxSize"]),
        (desired < int(record["MinSize"]), "below min", record["MinSize"]),
    ):
        if bad:
            raise invalid(f"New SetDesiredCapacity value {desired} is {where} value {bound} for the AutoScalingGroup.")
    set_desired(record, desired, "a user request explicitly set group desired capacity")
    return {}


def suspend(request: Mapping[str, Json]) -> Mapping[str, Json]:
    """SuspendProcesses; all of them where none is named."""
    suspend_processes(group(request.get("AutoScalingGroupName")), _processes(request), "User suspended")
    return {}


def resume(request: Mapping[str, Json]) -> Mapping[str, Json]:
    """ResumeProcesses."""
    resume_processes(group(request.get("AutoScalingGroupName")), _processes(request))
    return {}


def _processes(request: Mapping[str, Json]) -> tuple[str, ...]:
    named = tuple(request.get("ScalingProcesses") or PROCESSES)
    for name in named:
        if name not in PROCESSES:
            raise invalid(f"{name} is not a valid process name. Valid names: {', '.join(PROCESSES)}")
    return named


def suspend_processes(record: Record, names: tuple[str, ...], why: str) -> None:
    """Suspend those that run."""
    with LOCK:
        known = record.setdefault("SuspendedProcesses", [])
        having = {item["ProcessName"] for item in known}
        known.extend(
            {"ProcessName": name, "SuspensionReason": f"{why} at {stamp()}"} for name in names if name not in having
        )
        changed(record)


def resume_processes(record: Record, names: tuple[str, ...]) -> None:
    """Let them run again."""
    with LOCK:
        kept = [item for item in record.get("SuspendedProcesses", ()) if item["ProcessName"] not in names]
        record["SuspendedProcesses"] = kept
        changed(record)


def set_instance_health(request: Mapping[str, Json]) -> Mapping[str, Json]:
    """SetInstanceHealth; within the grace period an instance stays healthy unless the request says otherwise."""
    record, member = member_of(request["InstanceId"])
    status = str(request["HealthStatus"])
    if status.lower() not in ("healthy", "unhealthy"):
        raise invalid(f"{status} is not a valid health status: Healthy or Unhealthy.")
    respects = str(request.get("ShouldRespectGracePeriod", "true")).lower() == "true"
    with LOCK:
        if status.lower() == "unhealthy" and respects and groups.in_grace(record, member):
            return {}
        member.update(HealthStatus=status.capitalize(), _unhealthy_by="user")
        changed(record)
    return {}


def set_protection(request: Mapping[str, Json]) -> Mapping[str, Json]:
    """SetInstanceProtection."""
    record = group(request.get("AutoScalingGroupName"))
    protected = str(request["ProtectedFromScaleIn"]).lower() == "true"
    with LOCK:
        for member in _named(record, request):
            member["ProtectedFromScaleIn"] = protected
        changed(record)
    return {}


def terminate_instance(request: Mapping[str, Json]) -> Mapping[str, Json]:
    """TerminateInstanceInAutoScalingGroup, with or without lowering the desired capacity."""
    record, member = member_of(request["InstanceId"])
    lower = str(request["ShouldDecrementDesiredCapacity"]).lower() == "true"
    with LOCK:
        if lower:
            _lower(record, 1)
        shrunk = (
            f", shrinking the capacity from {len(groups.capacity(record))} to {len(groups.capacity(record)) - 1}"
            if lower
            else ""
        )
        id_ = groups.retire(
            record,
            member,
            f"At {stamp()} instance {member['InstanceId']} was taken out of service in response to a user "
            f"request{shrunk}.",
        )
        return {"Activity": groups.activity_of(record, id_)}


def _lower(record: Record, count: int) -> None:
    desired = int(record["DesiredCapacity"]) - count
    if desired < int(record["MinSize"]):
        raise invalid(
            "Currently, desiredSize equals minSize. Terminating instance without replacement will violate group's min "
            "size constraint. Either set shouldDecrementDesiredCapacity flag to false or lower group's min size."
        )
    record["DesiredCapacity"] = desired


def enter_standby(request: Mapping[str, Json]) -> Mapping[str, Json]:
    """EnterStandby: out of service and out of the target groups, but running."""
    return _step_aside(request, "Standby")


def detach(request: Mapping[str, Json]) -> Mapping[str, Json]:
    """DetachInstances: they run on, and the group knows them no more."""
    return _step_aside(request, "")


def _step_aside(request: Mapping[str, Json], state: str) -> Mapping[str, Json]:
    record = group(request.get("AutoScalingGroupName"))
    activities = []
    with LOCK:
        members = _named(record, request)
        for member in members:
            if member["LifecycleState"] != "InService":
                raise invalid(f"The instance {member['InstanceId']} is not in InService.")
        if str(request["ShouldDecrementDesiredCapacity"]).lower() == "true":
            _lower(record, len(members))
        for member in members:
            groups.deregistered(record, member)
            verb = f"moved to {state.lower()}" if state else "detached"
            description = f"Moving EC2 instance to {state}" if state else "Detaching EC2 instance"
            id_ = groups.begin_activity(
                record, member, f"{description}: {member['InstanceId']}",
                f"At {stamp()} instance {member['InstanceId']} was {verb} in response to a user request.", "InProgress",
            )  # fmt: skip
            groups.change_activity(record, id_, "Successful")
            activities.append(groups.activity_of(record, id_))
            if state:
                member.update(LifecycleState=state, _leaving="")
            else:
                record["Instances"].remove(member)
                _untag(member["InstanceId"])
        changed(record)
    return {"Activities": Items("member", activities)}


def _untag(id_: str) -> None:
    tags = emulator.store("ec2", "_tags")
    tags[id_] = [tag for tag in tags.get(id_, ()) if tag["Key"] != "aws:autoscaling:groupName"]


def exit_standby(request: Mapping[str, Json]) -> Mapping[str, Json]:
    """ExitStandby: in service again, and part of the desired capacity."""
    record = group(request.get("AutoScalingGroupName"))
    activities = []
    with LOCK:
        members = _named(record, request)
        for member in members:
            if member["LifecycleState"] != "Standby":
                raise invalid(f"The instance {member['InstanceId']} is not in Standby.")
        if int(record["DesiredCapacity"]) + len(members) > int(record["MaxSize"]):
            raise invalid("The group's maximum size would be exceeded.")
        set_desired(record, int(record["DesiredCapacity"]) + len(members), "a user request to exit standby,")
        for member in members:
            id_ = groups.begin_activity(
                record, member, f"Moving EC2 instance out of Standby: {member['InstanceId']}",
                f"At {stamp()} instance {member['InstanceId']} was moved out of standby in response to a user request.",
                "PreInService",
            )  # fmt: skip
            # It comes into service as one that is launched does: when it runs.
            member.update(LifecycleState="Pending", _launching=id_)
            activities.append(groups.activity_of(record, id_))
        changed(record)
    return {"Activities": Items("member", activities)}


def _named(record: Record, request: Mapping[str, Json]) -> list[Record]:
    found = []
    for id_ in request.get("InstanceIds") or ():
        member = next((one for one in record["Instances"] if one["InstanceId"] == id_), None)
        if member is None:
            raise invalid(f"The instance {id_} is not part of Auto Scaling group {record['AutoScalingGroupName']}.")
        found.append(member)
    return found


def attach_target_groups(request: Mapping[str, Json]) -> Mapping[str, Json]:
    """AttachLoadBalancerTargetGroups: what is in service becomes their target."""
    record = group(request.get("AutoScalingGroupName"))
    for arn in request.get("TargetGroupARNs") or ():
        if arn not in emulator.store("alb", "_tgs"):
            raise invalid(f"Provided Target Groups may not be valid. Target group ARNs: {arn}")
    with LOCK:
        groups.set_target_groups(record, [*record.get("TargetGroupARNs", ()), *(request.get("TargetGroupARNs") or ())])
    return {}


def detach_target_groups(request: Mapping[str, Json]) -> Mapping[str, Json]:
    """DetachLoadBalancerTargetGroups."""
    record = group(request.get("AutoScalingGroupName"))
    gone = set(request.get("TargetGroupARNs") or ())
    with LOCK:
        groups.set_target_groups(record, [arn for arn in record.get("TargetGroupARNs", ()) if arn not in gone])
    return {}


def describe_target_groups(request: Mapping[str, Json]) -> Mapping[str, Json]:
    """DescribeLoadBalancerTargetGroups."""
    record = group(request.get("AutoScalingGroupName"))
    found = [{"LoadBalancerTargetGroupARN": arn, "State": "InService"} for arn in record.get("TargetGroupARNs", ())]
    return {"LoadBalancerTargetGroups": Items("member", found)}


def enable_metrics(request: Mapping[str, Json]) -> Mapping[str, Json]:
    """EnableMetricsCollection; all of them where none is named."""
    record = group(request.get("AutoScalingGroupName"))
    known = {item["Metric"] for item in record.get("EnabledMetrics", ())}
    record["EnabledMetrics"] = [
        {"Metric": metric, "Granularity": "1Minute"}
        for metric in ALL_METRICS
        if metric in known or metric in (request.get("Metrics") or ALL_METRICS)
    ]
    changed(record)
    return {}


def disable_metrics(request: Mapping[str, Json]) -> Mapping[str, Json]:
    """DisableMetricsCollection; all of them where none is named."""
    record = group(request.get("AutoScalingGroupName"))
    gone = request.get("Metrics") or ALL_METRICS
    record["EnabledMetrics"] = [item for item in record.get("EnabledMetrics", ()) if item["Metric"] not in gone]
    changed(record)
    return {}


def delete(request: Mapping[str, Json]) -> Mapping[str, Json]:
    """DeleteAutoScalingGroup; with ForceDelete its instances end first."""
    record = group(request.get("AutoScalingGroupName"))
    if record["Instances"]:
        if str(request.get("ForceDelete", "false")).lower() != "true":
            raise ServiceError(
                "ResourceInUse",
                "You cannot delete an AutoScalingGroup while there are instances or pending Spot instance request(s) "
                "still in the group.",
            )
        with LOCK:
            groups.to_zero(record)
            record["_delete_when_empty"] = True
        return {}
    groups.remove(record["AutoScalingGroupName"])
    return {}


ACTIONS = {
    "DescribeAutoScalingGroups": describe,
    "DescribeAutoScalingInstances": describe_instances,
    "DescribeScalingActivities": describe_activities,
    "SetDesiredCapacity": set_desired_capacity,
    "SuspendProcesses": suspend,
    "ResumeProcesses": resume,
    "SetInstanceHealth": set_instance_health,
    "SetInstanceProtection": set_protection,
    "TerminateInstanceInAutoScalingGroup": terminate_instance,
    "EnterStandby": enter_standby,
    "ExitStandby": exit_standby,
    "DetachInstances": detach,
    "AttachLoadBalancerTargetGroups": attach_target_groups,
    "DetachLoadBalancerTargetGroups": detach_target_groups,
    "DescribeLoadBalancerTargetGroups": describe_target_groups,
    "EnableMetricsCollection": enable_metrics,
    "DisableMetricsCollection": disable_metrics,
    "DeleteAutoScalingGroup": delete,
}
