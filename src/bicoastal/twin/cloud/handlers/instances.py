"""EC2's instances: launched from templates, in states that are true, gone a while after their end.

With the data plane `instances` attached a state is what its controller reports: an instance is `running` when it boots,
and `terminated` when nothing of it is left. Without, every change is there at once, on paper.

Other handlers make instances by `launch`, end them by `terminate` and look by `record`; all act in the region of the
request. `REPORTS` has what the controller says: `ec2.instance` with `id`, and any of `state` (`gone`: forget it),
`reachable`, `reason`, `console`; and `ec2.zone`: an Availability Zone is lost, or there again.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from bicoastal.twin.cloud import emulator, planes
from bicoastal.twin.cloud.handlers.ec2 import new_id, now
from bicoastal.twin.cloud.handlers.instance_answers import answer, lower, mapping, passes, status
from bicoastal.twin.cloud.handlers.launching import discard, launch, lose_zone, make, state_of, template_version
from bicoastal.twin.cloud.registry import ServiceError, Unchanged

Json = Any
Record = dict[str, Json]

__all__ = ["ACTIONS", "REPORTS", "TYPES", "launch", "record", "records", "terminate"]

REMEMBERED_S = 3600.0
"""How long a terminated instance is still described, where no controller says."""
_BY_USER = ("Client.UserInitiatedShutdown", "Client.UserInitiatedShutdown: User initiated shutdown")


def record(id_: str) -> Record:
    """An instance. Raises ServiceError where there is none."""
    found = emulator.store("ec2", "_instances").get(id_)
    if found is None:
        raise ServiceError("InvalidInstanceID.NotFound", f"The instance ID '{id_}' does not exist")
    instance: Record = found
    return instance


def records() -> list[Record]:
    """All of the region, those that have just been terminated too."""
    return list(emulator.store("ec2", "_instances").values())


def terminate(id_: str, reason: tuple[str, str] = _BY_USER) -> Record:
    """End an instance: `shutting-down`, until the controller says that it is gone. Raises ServiceError."""
    found = record(id_)
    if found["State"]["Name"] not in ("shutting-down", "terminated"):
        _turn(found, "shutting-down", reason)
        if not planes.attached("instances"):
            _turn(found, "terminated", reason)
    return found


def _turn(found: Record, name: str, reason: tuple[str, str] | None = None) -> None:
    """Into a state, with what goes with it."""
    if found["State"]["Name"] == name:
        return
    found["State"] = state_of(name)
    if name in ("pending", "running"):
        found.pop("StateReason", None)
    elif reason:
        found["StateReason"] = {"Code": reason[0], "Message": reason[1]}
        found["Reason"] = f"{reason[1].rpartition(': ')[2]} ({now()})"
    if name not in ("running", "shutting-down", "stopping"):
        found["Reachable"] = None
    if name == "running" and not planes.attached("instances"):
        found["Reachable"] = True
    if name == "terminated":
        found["_terminated_at"] = time.time()
        found["IamInstanceProfile"] = None
        discard(found)
    emulator.store("ec2", "_instances")[found["InstanceId"]] = found


def _forget(id_: str) -> None:
    emulator.store("ec2", "_instances").pop(id_, None)
    emulator.store("ec2", "_tags").pop(id_, None)


# Actions.


def run_instances(request: Mapping[str, Json]) -> Mapping[str, Json]:
    """RunInstances: settings of the request over those of a template's version."""
    least, most = int(request.get("MinCount", 1)), int(request.get("MaxCount", 1))
    if not 1 <= least <= most:
        raise ServiceError(
            "InvalidParameterValue", f"MinCount {least} and MaxCount {most} must be 1 or more, in order."
        )
    token = request.get("ClientToken")
    known = [item for item in records() if token and item.get("ClientToken") == token]
    if known:
        return _reservation(known)
    settings, template = _settings(request)
    tags = {
        tag["Key"]: str(tag.get("Value", ""))
        for specification in request.get("TagSpecification", ())
        if specification.get("ResourceType") == "instance"
        for tag in specification.get("Tag", ())
    }
    made: list[Record] = []
    for index in range(most):
        try:
            one = make(settings, str(request.get("SubnetId", "")), tags, template)
        except ServiceError:
            if index >= least:
                break
            for before in made:
                _forget(before["InstanceId"])
            raise
        one.update(AmiLaunchIndex=index, ClientToken=token, ReservationId=new_id("r"))
        made.append(one)
    return _reservation(made)


def _settings(request: Mapping[str, Json]) -> tuple[dict[str, Json], Record | None]:
    """The request in the form of a template's data, over the template's."""
    data: dict[str, Json] = {}
    template = None
    if named := request.get("LaunchTemplate"):
        found = template_version(
            named.get("LaunchTemplateId", ""), named.get("Version", "$Default"), named.get("LaunchTemplateName", "")
        )
        data = dict(found["LaunchTemplateData"])
        template = {"Id": found["LaunchTemplateId"], "Version": found["VersionNumber"]}
    given = {name: request[name] for name in _SAME if name in request}
    if "SecurityGroupId" in request:
        given["SecurityGroupIds"] = request["SecurityGroupId"]
    if "NetworkInterface" in request:
        given["NetworkInterfaces"] = [
            {**item, "Groups": item.get("SecurityGroupId") or (), **_flag(item, "AssociatePublicIpAddress")}
            for item in request["NetworkInterface"]
        ]
    if "BlockDeviceMapping" in request:
        given["BlockDeviceMappings"] = [
            {**item, "Ebs": {**item.get("Ebs", {}), **_flag(item.get("Ebs", {}), "Encrypted", "DeleteOnTermination")}}
            for item in request["BlockDeviceMapping"]
        ]
    if "Monitoring" in request:
        given["Monitoring"] = _flag(request["Monitoring"], "Enabled")
    given |= _flag(request, "DisableApiTermination")
    merged = {**data, **given}
    _check_interfaces(merged, request)
    if "MetadataOptions" in given:
        merged["MetadataOptions"] = {**(data.get("MetadataOptions") or {}), **given["MetadataOptions"]}
    return merged, template


_SAME = (
    "ImageId", "InstanceType", "KeyName", "UserData", "IamInstanceProfile", "MetadataOptions",
    "InstanceInitiatedShutdownBehavior",
)  # fmt: skip


def _flag(given: Mapping[str, Json], *names: str) -> dict[str, bool]:
    return {name: str(given[name]).lower() == "true" for name in names if name in given}


def _check_interfaces(merged: Mapping[str, Json], request: Mapping[str, Json]) -> None:
    for name, what in (("SubnetId", "subnet ID"), ("SecurityGroupId", "security groups")):
        if merged.get("NetworkInterfaces") and name in request:
            raise ServiceError(
                "InvalidParameterCombination",
                f"Network interfaces and an instance-level {what} may not be specified on the same request",
            )


def _reservation(made: list[Record]) -> Mapping[str, Json]:
    return {
        "reservationId": made[0].get("ReservationId", ""),
        "ownerId": emulator.account(),
        "groupSet": [],
        "instancesSet": [answer(item) for item in made],
    }


def describe_instances(request: Mapping[str, Json]) -> Mapping[str, Json]:
    """DescribeInstances."""
    return {
        "reservationSet": [
            {
                "reservationId": item.get("ReservationId") or f"r-{item['InstanceId'][2:]}",
                "ownerId": emulator.account(),
                "groupSet": [],
                "instancesSet": [answer(item)],
            }
            for item in _selected(request)
        ]
    }


def describe_instance_status(request: Mapping[str, Json]) -> Mapping[str, Json]:
    """DescribeInstanceStatus: of running ones, unless all are asked for."""
    everything = str(request.get("IncludeAllInstances", "false")).lower() == "true"
    found = [item for item in _selected(request) if everything or item["State"]["Name"] == "running"]
    return {"instanceStatusSet": [status(item) for item in found]}


def _selected(request: Mapping[str, Json]) -> list[Record]:
    _sweep()
    wanted = request.get("InstanceId") or ()
    found = [record(id_) for id_ in wanted] if wanted else records()
    for condition in request.get("Filter", ()):
        values = condition.get("Value", [])
        found = [item for item in found if passes(item, condition["Name"], values)]
    return found


def _sweep() -> None:
    """Forget those that ended long ago; with a controller, it says when."""
    if not planes.attached("instances"):
        for item in records():
            if item["State"]["Name"] == "terminated" and time.time() - item["_terminated_at"] > REMEMBERED_S:
                _forget(item["InstanceId"])


def terminate_instances(request: Mapping[str, Json]) -> Mapping[str, Json]:
    """TerminateInstances: all of them or none."""
    for id_ in request["InstanceId"]:
        if record(id_).get("DisableApiTermination"):
            raise ServiceError(
                "OperationNotPermitted",
                f"The instance '{id_}' may not be terminated. Modify its 'disableApiTermination' instance attribute.",
            )
    return _changed(request["InstanceId"], terminate)


def stop_instances(request: Mapping[str, Json]) -> Mapping[str, Json]:
    """StopInstances."""
    return _changed(request["InstanceId"], _stop)


def _stop(id_: str) -> Record:
    found = _in_state(id_, ("pending", "running", "stopping", "stopped"), "stopped")
    if found["State"]["Name"] in ("pending", "running"):
        _turn(found, "stopping" if planes.attached("instances") else "stopped", _BY_USER)
    return found


def start_instances(request: Mapping[str, Json]) -> Mapping[str, Json]:
    """StartInstances: its disk is as it was."""
    return _changed(request["InstanceId"], _start)


def _start(id_: str) -> Record:
    found = _in_state(id_, ("stopped", "pending", "running"), "started")
    if found["State"]["Name"] == "stopped":
        found["LaunchTime"] = now()
        _turn(found, "pending" if planes.attached("instances") else "running")
    return found


def reboot_instances(request: Mapping[str, Json]) -> Mapping[str, Json]:
    """RebootInstances: it stays `running`, and its checks begin anew; by that the controller knows."""
    for id_ in request["InstanceId"]:
        found = _in_state(id_, ("running",), "rebooted")
        if planes.attached("instances"):
            found["Reachable"] = None
    return {"return": True}


def _in_state(id_: str, states: tuple[str, ...], verb: str) -> Record:
    found = record(id_)
    if found["State"]["Name"] not in states:
        raise ServiceError(
            "IncorrectInstanceState",
            f"The instance '{id_}' is not in a state from which it can be {verb}: {found['State']['Name']}.",
        )
    return found


def _changed(ids: Iterable[str], act: Callable[[str], Record]) -> Mapping[str, Json]:
    before = {id_: lower(record(id_)["State"]) for id_ in ids}
    return {
        "instancesSet": [
            {"instanceId": id_, "previousState": was, "currentState": lower(act(id_)["State"])}
            for id_, was in before.items()
        ]
    }


def describe_instance_attribute(request: Mapping[str, Json]) -> Mapping[str, Json]:
    """DescribeInstanceAttribute."""
    found, name = record(request["InstanceId"]), request["Attribute"]
    values: Mapping[str, Json] = {
        "userData": found["UserData"] or None,
        "instanceInitiatedShutdownBehavior": found["ShutdownBehavior"],
        "disableApiTermination": found["DisableApiTermination"],
        "instanceType": found["InstanceType"],
        "sourceDestCheck": found["SourceDestCheck"],
        "rootDeviceName": found["RootDeviceName"],
        "ebsOptimized": False,
    }
    if name == "groupSet":
        answer: Json = [lower(group) for group in found["SecurityGroups"]]
    elif name == "blockDeviceMapping":
        answer = [mapping(entry) for entry in found["BlockDeviceMappings"]]
    elif name in values:
        answer = {"value": values[name]} if values[name] is not None else {}
    else:
        raise ServiceError("InvalidParameterValue", f"Value ({name}) for parameter attribute is invalid.")
    return {"instanceId": found["InstanceId"], name: answer}


def modify_instance_attribute(request: Mapping[str, Json]) -> Mapping[str, Json]:
    """ModifyInstanceAttribute: groups, protection and what a shutdown from inside does; user data of a stopped one."""
    found = record(request["InstanceId"])
    if "GroupId" in request:
        table = emulator.store("ec2", "_security_groups")
        for id_ in request["GroupId"]:
            if id_ not in table:
                raise ServiceError("InvalidGroup.NotFound", f"The security group '{id_}' does not exist")
        found["SecurityGroups"] = [{"GroupId": id_, "GroupName": table[id_]["GroupName"]} for id_ in request["GroupId"]]
    if "DisableApiTermination" in request:
        found["DisableApiTermination"] = str(request["DisableApiTermination"]["Value"]).lower() == "true"
    if "InstanceInitiatedShutdownBehavior" in request:
        found["ShutdownBehavior"] = request["InstanceInitiatedShutdownBehavior"]["Value"]
    if "UserData" in request:
        found["UserData"] = (
            _in_state(found["InstanceId"], ("stopped",), "given user data") and request["UserData"]["Value"]
        )
    return {"return": True}


def get_console_output(request: Mapping[str, Json]) -> Mapping[str, Json]:
    """GetConsoleOutput: as it was when the instance's state last changed."""
    found = record(request["InstanceId"])
    output = base64.b64encode(found.get("Console", "").encode()).decode()
    return {"instanceId": found["InstanceId"], "timestamp": now(), "output": output}


# What the controller says.


def _report(data: Mapping[str, Json]) -> Json:
    found = emulator.store("ec2", "_instances").get(data["id"])
    if found is None:
        return Unchanged({})
    before = (found["State"]["Name"], found.get("Reachable"))
    name, wanted = found["State"]["Name"], data.get("state")
    if wanted == "gone":
        _forget(data["id"])
        return {}
    if "console" in data:
        found["Console"] = data["console"]
    # A state that was asked for meanwhile is not undone by one that was on its way.
    if wanted and wanted in _NEXT.get(name, ()):
        code, _, text = str(data.get("reason", "")).partition(": ")
        _turn(found, wanted, (code, f"{code}: {text}") if code else None)
    if "reachable" in data and found["State"]["Name"] == "running":
        found["Reachable"] = data["reachable"]
    answer = {"state": found["State"]["Name"]}
    return Unchanged(answer) if before == (answer["state"], found.get("Reachable")) else answer


_NEXT = {
    "pending": ("running", "stopped", "shutting-down", "terminated"),
    "running": ("stopping", "stopped", "shutting-down", "terminated"),
    "stopping": ("stopped", "terminated"),
    "shutting-down": ("terminated",),
}
"""What a controller may make of a state."""

TYPES = ()
REPORTS = {"ec2.instance": _report, "ec2.zone": lose_zone}
ACTIONS = {
    "RunInstances": run_instances,
    "DescribeInstances": describe_instances,
    "DescribeInstanceStatus": describe_instance_status,
    "TerminateInstances": terminate_instances,
    "StopInstances": stop_instances,
    "StartInstances": start_instances,
    "RebootInstances": reboot_instances,
    "DescribeInstanceAttribute": describe_instance_attribute,
    "ModifyInstanceAttribute": modify_instance_attribute,
    "GetConsoleOutput": get_console_output,
}
