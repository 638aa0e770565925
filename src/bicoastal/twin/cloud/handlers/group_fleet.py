"""What the fleets' controller asks of a region's groups, and what it says: here instances join and leave a group.

`QUESTIONS["autoscaling.fleets"]` is everything about every group at once, by the names of `twin.fleets.fleet`.
`REPORTS["autoscaling.act"]` takes what was decided on one of them; on a group that has changed since, nothing is done.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any
from xml.etree import ElementTree

from bicoastal.twin.cloud import answers, emulator, planes
from bicoastal.twin.cloud.handlers import groups, instances
from bicoastal.twin.cloud.handlers.group_refresh import active_refresh, note_refresh
from bicoastal.twin.cloud.handlers.groups import LOCK, Record, changed, stamp
from bicoastal.twin.cloud.handlers.launching import template_version
from bicoastal.twin.cloud.registry import ServiceError, Unchanged

Json = Any

_WORST = ("unhealthy", "draining", "initial", "unused", "unavailable", "healthy")
_DELAY = "deregistration_delay.timeout_seconds"
_BY = {
    "ec2": "an EC2 health check indicating it has been terminated or stopped.",
    "impaired": "an EC2 instance status checks failure.",
    "balancer": "an ELB system health check failure.",
    "user": "a user health-check.",
}
_LAUNCHED = {
    "unhealthy": "an instance was launched in response to an unhealthy instance needing to be replaced.",
    "refresh": "an instance was launched in response to an instance refresh.",
    "rebalance": "an instance was launched to aid in balancing the group's zones.",
}
_RETIRED = {
    "refresh": "an instance was taken out of service in response to an instance refresh.",
    "rebalance": "an instance was taken out of service to aid in balancing the group's zones.",
}


def fleets(data: Mapping[str, Json]) -> Json:
    """The region's groups, as of now."""
    del data
    with LOCK:
        return {"now": time.time(), "fleets": [_fleet(record) for record in groups.groups()]}


def _fleet(record: Record) -> Record:
    wanted = (active_refresh(record) or {}).get("_template") or record.get("LaunchTemplate") or {}
    policy = record.get("InstanceMaintenancePolicy") or {}
    targets = _target_states(record) if record["Instances"] else {}
    return {
        "name": record["AutoScalingGroupName"],
        "seen": int(record.get("_seen", 0)),
        "desired": int(record["DesiredCapacity"]),
        "minimum": int(record["MinSize"]),
        "maximum": int(record["MaxSize"]),
        "subnets": _subnets(record),
        "template": wanted.get("LaunchTemplateId", ""),
        "version": _version(wanted),
        "members": [_member(member, targets) for member in record["Instances"]],
        "uses_balancer_health": "ELB" in str(record.get("HealthCheckType", "EC2")),
        "grace_s": float(record.get("HealthCheckGracePeriod") or 0),
        "warmup_s": float(record.get("DefaultInstanceWarmup") or 0),
        "maintenance": _percentages(policy),
        "suspended": [item["ProcessName"] for item in record.get("SuspendedProcesses", ())],
        "termination": record.get("TerminationPolicies") or ["Default"],
        "drain_s": _drain_s(record),
        "drains_by_balancer": planes.attached("balancers"),
        "metrics": [item["Metric"] for item in record.get("EnabledMetrics", ())],
        "failures": int(record.get("_failures", 0)),
        "failed_at": float(record.get("_failed_at", 0)),
        "failed_zone": record.get("_failed_zone", ""),
        "refresh": _refresh(record),
    }


def _percentages(policy: Mapping[str, Json]) -> list[float] | None:
    least, most = policy.get("MinHealthyPercentage"), policy.get("MaxHealthyPercentage")
    # -1 clears it, as in UpdateAutoScalingGroup.
    if least is None or most is None or float(least) < 0:
        return None
    return [float(least), float(most)]


def _subnets(record: Record) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for id_ in filter(None, str(record.get("VPCZoneIdentifier") or "").split(",")):
        subnet = emulator.store("ec2", "_subnets").get(id_)
        if subnet is not None:
            found.setdefault(subnet["AvailabilityZone"], []).append(id_)
    return found or {zone: [] for zone in record.get("AvailabilityZones", ())}


def _version(wanted: Mapping[str, Json]) -> str:
    try:
        found = template_version(wanted.get("LaunchTemplateId", ""), wanted.get("Version", "$Default"))
    except ServiceError:
        return ""
    return str(found["VersionNumber"])


def _member(member: Record, targets: Mapping[str, str]) -> Record:
    state, reachable = groups.state_of(member["InstanceId"])
    template = member.get("LaunchTemplate") or {}
    return {
        "id": member["InstanceId"],
        "zone": member["AvailabilityZone"],
        "state": member["LifecycleState"],
        "version": template.get("Version", "0"),
        "template": template.get("LaunchTemplateId", ""),
        "healthy": member["HealthStatus"] == "Healthy",
        "protected": bool(member.get("ProtectedFromScaleIn")),
        "launched": member["_launched"],
        "served": member.get("_served", 0.0),
        "leaving": member.get("_leaving", ""),
        "drained_from": member.get("_drained_from", 0.0),
        "ec2": state,
        "reachable": reachable,
        "target": targets.get(member["InstanceId"], ""),
    }


def _target_states(record: Record) -> dict[str, str]:
    """Instance to the worst that any of the group's target groups says of it."""
    worst: dict[str, str] = {}
    for arn in record.get("TargetGroupARNs", ()):
        if arn not in emulator.store("alb", "_tgs"):
            continue
        for id_, state in _targets(arn):
            known = worst.get(id_, "healthy")
            worst[id_] = min(known, state, key=lambda one: _WORST.index(one) if one in _WORST else len(_WORST))
    return worst


def _targets(arn: str) -> list[tuple[str, str]]:
    """As DescribeTargetHealth answers, whoever answers it."""
    describe = emulator.of_service("alb", "_ACTION_MAP")["DescribeTargetHealth"]
    status, _, body = describe({"TargetGroupArn": arn})
    answers.refuse(status, body)
    found = []
    for item in ElementTree.fromstring(body).iter():  # noqa: S314 - our own answer
        if item.tag.endswith("}member") or item.tag == "member":
            id_, state = item.find("{*}Target/{*}Id"), item.find("{*}TargetHealth/{*}State")
            if id_ is not None and state is not None:
                found.append((str(id_.text), str(state.text)))
    return found


def _drain_s(record: Record) -> float:
    delays = [0.0]
    for arn in record.get("TargetGroupARNs", ()):
        for attribute in emulator.store("alb", "_tg_attrs").get(arn, ()):
            if attribute["Key"] == _DELAY:
                delays.append(float(attribute["Value"]))
    return max(delays)


def _refresh(record: Record) -> Record | None:
    active = active_refresh(record)
    if active is None:
        return None
    preferences = active["Preferences"]
    least, most = preferences.get("MinHealthyPercentage"), preferences.get("MaxHealthyPercentage")
    warmup = preferences.get("InstanceWarmup")
    if warmup is None:
        warmup = record.get("DefaultInstanceWarmup")
    if warmup is None:
        warmup = record.get("HealthCheckGracePeriod") or 0
    return {
        "id": active["InstanceRefreshId"],
        "started": active["_started"],
        "total": active["_total"],
        "left": active["InstancesToUpdate"],
        "percent": active["PercentageComplete"],
        "progressed": active["_progressed"],
        "least_percent": None if least is None else float(least),
        "most_percent": None if most is None else float(most),
        "warmup_s": float(warmup),
        "skip_matching": bool(preferences.get("SkipMatching")),
    }


def act(data: Mapping[str, Json]) -> Json:
    """`group`, the state `seen` of it, and `actions`. Answers whether they were done."""
    with LOCK:
        record = emulator.store("autoscaling", "_asgs").get(data["group"])
        if record is None or int(record.get("_seen", 0)) != data["seen"]:
            return Unchanged({"done": False})
        for action in data["actions"]:
            _ACTS[action["do"]](record, action)
        changed(record)
        if record.get("_delete_when_empty") and not record["Instances"]:
            groups.remove(record["AutoScalingGroupName"])
        return {"done": True}


def _launch(record: Record, action: Mapping[str, Json]) -> None:
    template = (active_refresh(record) or {}).get("_template") or record["LaunchTemplate"]
    cause = _launch_cause(record, action)
    where = {"_subnet": action["subnet"], "AvailabilityZone": action["zone"]}
    try:
        made = instances.launch(
            template.get("LaunchTemplateId", ""), template.get("Version", "$Default"), action["subnet"],
            _instance_tags(record),
        )  # fmt: skip
    except ServiceError as error:
        id_ = groups.begin_activity(record, where, "Launching a new EC2 instance", cause, "Failed")
        groups.change_activity(record, id_, "Failed", f"{error.message} Launching EC2 instance failed.")
        record.update(
            _failures=int(record.get("_failures", 0)) + 1, _failed_at=time.time(), _failed_zone=action["zone"]
        )
        return
    id_ = made["InstanceId"]
    used = made.get("LaunchTemplate") or {}
    record["Instances"].append(
        {
            "InstanceId": id_,
            "InstanceType": made["InstanceType"],
            "AvailabilityZone": made["Placement"]["AvailabilityZone"],
            "LifecycleState": "Pending",
            "HealthStatus": "Healthy",
            "ProtectedFromScaleIn": bool(record.get("NewInstancesProtectedFromScaleIn")),
            "LaunchTemplate": {
                "LaunchTemplateId": template["LaunchTemplateId"],
                "LaunchTemplateName": template.get("LaunchTemplateName", ""),
                "Version": str(used.get("Version", "")),
            },
            "_subnet": made["SubnetId"],
            "_launched": time.time(),
            "_launching": groups.begin_activity(
                record, where, f"Launching a new EC2 instance: {id_}", cause, "PreInService"
            ),
        }
    )


def _launch_cause(record: Record, action: Mapping[str, Json]) -> str:
    why = action["why"]
    if why in _LAUNCHED:
        record["_ahead"] = int(record.get("_ahead", 0)) + 1
    elif record.get("_owed"):
        why = record["_owed"].pop(0)
    if why in _LAUNCHED:
        return f"At {stamp()} {_LAUNCHED[why]}"
    before = f"{record['_cause']}  " if record.get("_cause") else ""
    return (
        f"{before}At {stamp()} an instance was started in response to a difference between desired and actual "
        f"capacity, increasing the capacity from {action['from']} to {action['to']}."
    )


def _instance_tags(record: Record) -> dict[str, str]:
    tags = {tag["Key"]: tag["Value"] for tag in record.get("Tags", ()) if tag.get("PropagateAtLaunch")}
    return {**tags, "aws:autoscaling:groupName": record["AutoScalingGroupName"]}


def _serve(record: Record, action: Mapping[str, Json]) -> None:
    member = _find(record, action)
    if member is None:
        return
    member.update(LifecycleState="InService", _served=time.time())
    record["_failures"] = 0
    record["_failed_zone"] = ""
    if not groups.is_suspended(record, "AddToLoadBalancer"):
        groups.registered(record, member)
    groups.change_activity(record, member.get("_launching", ""), "Successful")


def _unhealthy(record: Record, action: Mapping[str, Json]) -> None:
    if member := _find(record, action):
        member.update(HealthStatus="Unhealthy", _unhealthy_by=action["by"])


def _leave(record: Record, action: Mapping[str, Json]) -> None:
    if member := _find(record, action):
        member["_leaving"] = action["why"]


def _stay(record: Record, action: Mapping[str, Json]) -> None:
    if member := _find(record, action):
        member["_leaving"] = ""


def _retire(record: Record, action: Mapping[str, Json]) -> None:
    member = _find(record, action)
    if member is None:
        return
    why = action["why"]
    if why in _LAUNCHED:
        _owe(record, why)
    if why == "unhealthy":
        cause = f"At {stamp()} an instance was taken out of service in response to " + (
            _BY.get(member.get("_unhealthy_by", "user"), _BY["user"])
        )
    elif why in _RETIRED:
        cause = f"At {stamp()} {_RETIRED[why]}"
    else:
        before = f"{record['_cause']}  " if record.get("_cause") else ""
        cause = (
            f"{before}At {stamp()} an instance was taken out of service in response to a difference between desired "
            f"and actual capacity, shrinking the capacity from {action['from']} to {action['to']}.  "
            f"At {stamp()} instance {member['InstanceId']} was selected for termination."
        )
    groups.retire(record, member, cause)


def _owe(record: Record, why: str) -> None:
    """Remember that one goes whose replacement is still to come, unless it came first: its cause says so."""
    if record.get("_ahead"):
        record["_ahead"] -= 1
    else:
        record.setdefault("_owed", []).append(why)


def _terminate(record: Record, action: Mapping[str, Json]) -> None:
    member = _find(record, action)
    if member is None:
        return
    groups.change_activity(record, member.get("_ending", ""), "InProgress")
    try:
        instances.terminate(member["InstanceId"])
    except ServiceError as error:
        if "NotFound" not in error.code:
            raise


def _forget(record: Record, action: Mapping[str, Json]) -> None:
    member = _find(record, action)
    if member is None:
        return
    record["Instances"].remove(member)
    groups.change_activity(record, member.get("_ending", ""), "Successful")
    ended = next((one for one in record.get("_activities", ()) if one["ActivityId"] == member.get("_ending")), None)
    if ended:
        ended["Description"] = f"Terminating EC2 instance: {member['InstanceId']}"


def _find(record: Record, action: Mapping[str, Json]) -> Record | None:
    return next((member for member in record["Instances"] if member["InstanceId"] == action["id"]), None)


_ACTS: Mapping[str, Callable[[Record, Mapping[str, Json]], None]] = {
    "launch": _launch,
    "serve": _serve,
    "unhealthy": _unhealthy,
    "leave": _leave,
    "stay": _stay,
    "retire": _retire,
    "terminate": _terminate,
    "forget": _forget,
    "refresh": note_refresh,
}
QUESTIONS = {"autoscaling.fleets": fleets}
REPORTS = {"autoscaling.act": act}
