"""Targets of target groups: registered, draining, and as healthy as their load balancer says.

With the data plane `balancers` attached nothing is healthy that was not checked, and a target that was deregistered is
`draining` until the balancer says that its delay is over. Without, every target is healthy, on paper.

`REPORTS` has what the controller says. `QUESTIONS` has what it asks: everything about a region's load balancers at
once, because twenty calls after each change of the API would take half a core while stacks are deployed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

from bicoastal.twin.cloud import emulator, planes
from bicoastal.twin.cloud.answers import Items
from bicoastal.twin.cloud.registry import ServiceError

Json = Any
Record = dict[str, Json]
NAMESPACE = "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/"
PLANE = "balancers"

_REGISTERING = {
    "State": "initial",
    "Reason": "Elb.RegistrationInProgress",
    "Description": "Target registration is in progress",
}
_NOT_IN_USE = {
    "State": "unused",
    "Reason": "Target.NotInUse",
    "Description": "Target group is not configured to receive traffic from the load balancer",
}
_NOT_REGISTERED = {
    "State": "unused",
    "Reason": "Target.NotRegistered",
    "Description": "Target is not registered to the target group",
}
_DRAINING = {
    "State": "draining",
    "Reason": "Target.DeregistrationInProgress",
    "Description": "Target deregistration is in progress",
}

HEALTH = emulator.new_table("target_health")
"""Target group to its targets (`ID:PORT`) to what their balancer last said of them."""
DRAINING = emulator.new_table("target_draining")
"""Target group to its targets to the seconds since the epoch when they were deregistered."""


def register(request: Mapping[str, Json]) -> Mapping[str, Json]:
    """RegisterTargets. One that is registered already stays as it is; one that drained is new."""
    group = _group(request)
    arn = group["TargetGroupArn"]
    known = emulator.store("alb", "_targets").setdefault(arn, [])
    keys = {key_of(group, target) for target in known}
    for asked in request.get("Targets", ()):
        target = _target(asked)
        key = key_of(group, target)
        if key not in keys:
            known.append(target)
            keys.add(key)
            DRAINING.get(arn, {}).pop(key, None)
            HEALTH.get(arn, {}).pop(key, None)
    return {}


def deregister(request: Mapping[str, Json]) -> Mapping[str, Json]:
    """DeregisterTargets; without a port, all of the target's."""
    group = _group(request)
    arn = group["TargetGroupArn"]
    asked = [_target(target) for target in request.get("Targets", ())]
    kept = []
    for target in emulator.store("alb", "_targets").get(arn, []):
        if not any(_same(group, target, one) for one in asked):
            kept.append(target)
        elif planes.attached(PLANE):
            key = key_of(group, target)
            HEALTH.get(arn, {}).pop(key, None)
            if is_used(arn):
                DRAINING.setdefault(arn, {})[key] = time.time()
    emulator.store("alb", "_targets")[arn] = kept
    return {}


def describe(request: Mapping[str, Json]) -> Mapping[str, Json]:
    """DescribeTargetHealth. A target that is asked for and not there is `unused`."""
    group = _group(request)
    listed = {key_of(group, target): target for target in emulator.store("alb", "_targets").get(group_arn(group), [])}
    for key in DRAINING.get(group_arn(group), {}):
        id_, _, port = key.rpartition(":")
        listed[key] = {"Id": id_, "Port": int(port)}
    if asked := [_target(target) for target in request.get("Targets", ())]:
        chosen = {key: target for key, target in listed.items() if any(_same(group, target, one) for one in asked)}
        absent = [one for one in asked if not any(_same(group, target, one) for target in listed.values())]
        listed = {**chosen, **{key_of(group, one): one for one in absent}}
    return {"TargetHealthDescriptions": Items("member", [_described(group, *item) for item in listed.items()])}


def health_of(group: Record, key: str) -> Record:
    """One target's state, with the reason and the words that AWS gives."""
    arn = group_arn(group)
    if key in DRAINING.get(arn, {}):
        return _DRAINING
    if key not in {key_of(group, target) for target in emulator.store("alb", "_targets").get(arn, [])}:
        return _NOT_REGISTERED
    if not planes.attached(PLANE):
        return {"State": "healthy"}
    if not is_used(arn):
        return _NOT_IN_USE
    if state := _not_running(key.rpartition(":")[0]):
        return {"State": "unused", "Reason": "Target.InvalidState", "Description": f"Target is in the {state} state"}
    found: Record = HEALTH.get(arn, {}).get(key, _REGISTERING)
    return found


def _not_running(id_: str) -> str:
    """The state of an instance that has ended or was stopped; empty for one that runs or is to run."""
    found = emulator.store("ec2", "_instances").get(id_)
    state = str(found["State"]["Name"]) if found else ""
    return state if state in ("stopping", "stopped", "shutting-down", "terminated") else ""


def is_used(arn: str) -> bool:
    """Whether a listener or a rule of a load balancer forwards to the target group."""
    return any(arn in forwards(rule["Actions"]) for rule in emulator.store("alb", "_rules").values())


def forwards(actions: list[Record]) -> Iterator[str]:
    """The target groups that a rule's actions name."""
    for action in actions:
        for group in action.get("ForwardConfig", {}).get("TargetGroups", ()):
            yield group["TargetGroupArn"]
        if "TargetGroupArn" in action:
            yield action["TargetGroupArn"]


def key_of(group: Record, target: Mapping[str, Json]) -> str:
    """A target's name within its group: `ID:PORT`."""
    return f"{target['Id']}:{int(target.get('Port', group.get('Port', 80)))}"


def group_arn(group: Record) -> str:
    """Its ARN."""
    return str(group["TargetGroupArn"])


def _described(group: Record, key: str, target: Record) -> Record:
    check = group.get("HealthCheckPort", "traffic-port")
    port = int(key.rpartition(":")[2])
    return {
        "Target": {"Id": target["Id"], "Port": port},
        "HealthCheckPort": port if check == "traffic-port" else check,
        "TargetHealth": health_of(group, key),
    }


def _group(request: Mapping[str, Json]) -> Record:
    arn = request.get("TargetGroupArn", "")
    found = emulator.store("alb", "_tgs").get(arn)
    if found is None:
        raise ServiceError("TargetGroupNotFound", f"Target groups '{arn}' not found")
    group: Record = found
    return group


def _target(asked: Mapping[str, Json]) -> Record:
    return {"Id": asked["Id"], **({"Port": int(asked["Port"])} if asked.get("Port") else {})}


def _same(group: Record, target: Record, asked: Record) -> bool:
    return bool(target["Id"] == asked["Id"]) and ("Port" not in asked or key_of(group, target) == key_of(group, asked))


def _say_health(data: Mapping[str, Json]) -> Json:
    """`group`, and `targets`: each one's state. A target that was deregistered meanwhile stays draining."""
    group = _group({"TargetGroupArn": data["group"]})
    registered = {key_of(group, target) for target in emulator.store("alb", "_targets").get(data["group"], [])}
    said = {key: health for key, health in data["targets"].items() if key in registered}
    HEALTH[data["group"]] = {**HEALTH.get(data["group"], {}), **said}
    return {}


def _say_drained(data: Mapping[str, Json]) -> Json:
    """`group`, and the `targets` whose deregistration delay is over."""
    for key in data["targets"]:
        DRAINING.get(data["group"], {}).pop(key, None)
    return {}


def _say_state(data: Mapping[str, Json]) -> Json:
    """`arn` of a load balancer and its `state`."""
    balancer = emulator.store("alb", "_lbs").get(data["arn"])
    if balancer is not None:
        balancer.update({"State": data["state"], "Answered": True})
    return {}


ACTIONS = {"RegisterTargets": register, "DeregisterTargets": deregister, "DescribeTargetHealth": describe}
REPORTS = {
    "elbv2.target_health": _say_health,
    "elbv2.drained": _say_drained,
    "elbv2.load_balancer": _say_state,
}
