"""Systems Manager's Run Command: commands are sent and read here; the automation controller runs them on instances.

A command's scripts are made when it is sent, from the document and the parameters as they are then, and are kept with
each of its invocations until the controller has run them.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bicoastal.twin.cloud import emulator
from bicoastal.twin.cloud.handlers import events, instances, ssm, ssm_parameters
from bicoastal.twin.cloud.handlers.ssm_automation import page
from bicoastal.twin.cloud.registry import ServiceError
from bicoastal.twin.cloud.rights import Check, Request, ec2_tags, tag_keys

Json = Any
Record = dict[str, Json]
INVALID = "InvalidParameters"
_PLUGIN = "aws:runShellScript"
_ENDED = ("Success", "Failed", "TimedOut", "Cancelled", "Undeliverable", "Terminated")
_STANDARD_OUTPUT, _STANDARD_ERROR = 24_000, 8_000
"""Characters that GetCommandInvocation gives."""
_SHELL_DOCUMENT: Record = {
    "schemaVersion": "2.2",
    "parameters": {
        "commands": {"type": "StringList"},
        "workingDirectory": {"type": "String", "default": ""},
        "executionTimeout": {"type": "String", "default": "3600", "allowedPattern": "[1-9][0-9]{0,5}"},
    },
    "mainSteps": [
        {
            "action": _PLUGIN,
            "name": "runShellScript",
            "inputs": {
                "runCommand": "{{ commands }}",
                "workingDirectory": "{{ workingDirectory }}",
                "timeoutSeconds": "{{ executionTimeout }}",
            },
        }
    ],
}
"""AWS-RunShellScript, as far as it is of use."""


def _send(request: Mapping[str, Json]) -> Mapping[str, Json]:
    name, content, version = _definition(request)
    parameters = ssm_parameters.checked(content.get("parameters") or {}, request.get("Parameters") or {}, INVALID)
    steps = list(_scripts(content, parameters))
    targets = _targets(request)
    id_, now = str(uuid.uuid4()), time.time()
    COMMANDS[id_] = {
        "CommandId": id_,
        "DocumentName": name,
        "DocumentVersion": version,
        "Comment": request.get("Comment", ""),
        "ExpiresAfter": now + float(request.get("TimeoutSeconds") or 3600),
        "Parameters": parameters,
        "InstanceIds": request.get("InstanceIds") or [],
        "Targets": request.get("Targets") or [],
        "RequestedDateTime": now,
        "Status": "Pending",
        "StatusDetails": "Pending",
        "MaxConcurrency": request.get("MaxConcurrency", "50"),
        "MaxErrors": request.get("MaxErrors", "0"),
        "TargetCount": len(targets),
        "CompletedCount": 0,
        "ErrorCount": 0,
        "DeliveryTimedOutCount": 0,
        "TimeoutSeconds": int(request.get("TimeoutSeconds") or 3600),
        "_Steps": steps,
        "_Invocations": {},
    }
    COMMANDS[id_]["_Invocations"] = {target: _pending(COMMANDS[id_], target) for target in targets}
    if not targets:
        COMMANDS[id_].update(Status="Success", StatusDetails="NoInstancesInTag")
    events.call_seen("ssm", "SendCommand", {key: value for key, value in request.items() if key != "Parameters"})
    return {"Command": _public(COMMANDS[id_])}


def _definition(request: Mapping[str, Json]) -> tuple[str, Record, str]:
    """The document's name, the content of its version, and that version's number."""
    name = str(request.get("DocumentName", "")).rpartition("document/")[2]
    if name == "AWS-RunShellScript":
        return name, _SHELL_DOCUMENT, "1"
    record: Record | None = ssm.DOCUMENTS.get(name)
    if record is None or record["DocumentType"] != "Command":
        raise ServiceError("InvalidDocument", f"The document {name} does not exist, or is none of commands.")
    version = ssm.version_number(record, request.get("DocumentVersion"))
    kept = record["Versions"][version]
    return name, ssm.parsed(kept["Content"], kept["Format"]), version


def _scripts(content: Record, parameters: Mapping[str, Sequence[str]]) -> Iterator[Record]:
    for step in content.get("mainSteps") or ():
        if step["action"] != _PLUGIN:
            raise ServiceError("UnsupportedFeatureRequired", f"{step['action']} is not run by the twin: {_PLUGIN} is.")
        inputs = step.get("inputs") or {}
        lines = inputs.get("runCommand") or []
        if isinstance(lines, str):
            lines = parameters.get(lines.strip("{} "), [lines])
        yield {
            "name": step["name"],
            "script": "\n".join(ssm_parameters.filled(str(line), parameters) for line in lines),
            "folder": ssm_parameters.filled(str(inputs.get("workingDirectory") or ""), parameters),
            "timeout": float(ssm_parameters.filled(str(inputs.get("timeoutSeconds") or 3600), parameters)),
        }


def _targets(request: Mapping[str, Json]) -> list[str]:
    """The ids that the command goes to. Raises ServiceError for one that is named and is not there."""
    named = list(request.get("InstanceIds") or ())
    chosen = []
    for target in request.get("Targets") or ():
        key, values = target["Key"], target["Values"]
        if key.lower() == "instanceids":
            named += values
        elif key.startswith("tag:"):
            chosen += [id_ for id_ in managed() if ec2_tags(id_).get(key.removeprefix("tag:")) in values]
        else:
            raise ServiceError("InvalidTarget", f"The target {key} is unknown here: give InstanceIds or tag:NAME.")
    if not named and not request.get("Targets"):
        raise ServiceError("InvalidInstanceId", "InstanceIds or Targets are needed.")
    known = managed()
    wrong = [id_ for id_ in named if id_ not in known]
    if wrong:
        raise ServiceError(
            "InvalidInstanceId",
            f"Instances [[{', '.join(wrong)}]] not in a valid state for account {emulator.account()}",
        )
    return list(dict.fromkeys([*named, *chosen]))


def managed() -> list[str]:
    """Instances with which Systems Manager's agent could be in contact: those that run."""
    return [item["InstanceId"] for item in instances.records() if item["State"]["Name"] == "running"]


def _pending(command: Record, target: str) -> Record:
    taken_over = ("CommandId", "Comment", "DocumentName", "DocumentVersion", "RequestedDateTime")
    return {
        **{name: command[name] for name in taken_over},
        "InstanceId": target,
        "Status": "Pending",
        "StatusDetails": "Pending",
        "CommandPlugins": [_plugin(step["name"]) for step in command["_Steps"]],
    }


def _plugin(name: str) -> Record:
    return {"Name": name, "Status": "Pending", "StatusDetails": "Pending", "ResponseCode": -1, "Output": ""}


def _public(record: Record) -> Record:
    return {name: value for name, value in record.items() if not name.startswith("_")}


def _invocation(request: Mapping[str, Json]) -> Mapping[str, Json]:
    command, target = request.get("CommandId", ""), request.get("InstanceId", "")
    record = COMMANDS.get(command)
    found = record["_Invocations"].get(target) if record else None
    if found is None:
        raise ServiceError("InvocationDoesNotExist", f"There is no invocation of {command} on {target}.")
    plugins = found["CommandPlugins"]
    wanted = request.get("PluginName")
    if wanted and wanted not in [plugin["Name"] for plugin in plugins]:
        raise ServiceError("InvalidPluginName", f"The command has no plugin {wanted}.")
    plugin = next((item for item in plugins if wanted in (None, "", item["Name"])), _plugin(""))
    return {
        **{name: value for name, value in found.items() if name not in ("CommandPlugins", "RequestedDateTime")},
        "PluginName": plugin["Name"],
        "ResponseCode": plugin["ResponseCode"],
        "ExecutionStartDateTime": plugin.get("Began", ""),
        "ExecutionElapsedTime": plugin.get("Elapsed", ""),
        "ExecutionEndDateTime": plugin.get("Ended", ""),
        "StandardOutputContent": plugin.get("Output", "")[:_STANDARD_OUTPUT],
        "StandardErrorContent": plugin.get("Errors", "")[:_STANDARD_ERROR],
        "StandardOutputUrl": "",
        "StandardErrorUrl": "",
    }


def _list(request: Mapping[str, Json]) -> Mapping[str, Json]:
    found = [
        _public(record)
        for record in COMMANDS.values()
        if request.get("CommandId") in (None, record["CommandId"])
        and (not request.get("InstanceId") or request["InstanceId"] in record["_Invocations"])
    ]
    found = _filtered(found, request.get("Filters") or ())
    found.sort(key=lambda record: record["RequestedDateTime"], reverse=True)
    return page(request, "Commands", found, 50)


def _list_invocations(request: Mapping[str, Json]) -> Mapping[str, Json]:
    found = []
    for record in COMMANDS.values():
        for target, invocation in record["_Invocations"].items():
            if request.get("CommandId") in (None, record["CommandId"]) and request.get("InstanceId") in (None, target):
                found.append(invocation)
    found = _filtered(found, request.get("Filters") or ())
    if not request.get("Details"):
        found = [{**item, "CommandPlugins": []} for item in found]
    return page(request, "CommandInvocations", found, 50)


def _filtered(found: list[Record], filters: Sequence[Mapping[str, str]]) -> list[Record]:
    tests = {
        "Status": lambda record, value: record["Status"] == value,
        "DocumentName": lambda record, value: record["DocumentName"] == value,
        "InvokedAfter": lambda record, value: events.iso(record["RequestedDateTime"]) >= value,
        "InvokedBefore": lambda record, value: events.iso(record["RequestedDateTime"]) <= value,
    }
    for condition in filters:
        test = tests.get(condition["key"])
        if test is None:
            raise ServiceError("InvalidFilterKey", f"The filter {condition['key']} is unknown here.")
        found = [record for record in found if test(record, condition["value"])]
    return found


def _cancel(request: Mapping[str, Json]) -> Mapping[str, Json]:
    record = COMMANDS.get(request["CommandId"])
    if record is None:
        raise ServiceError("InvalidCommandId", f"The command {request['CommandId']} does not exist.")
    wanted = request.get("InstanceIds") or list(record["_Invocations"])
    for target, invocation in record["_Invocations"].items():
        if target in wanted and invocation["Status"] == "Pending":
            _settle(record, invocation, "Cancelled")
        elif target in wanted and invocation["Status"] not in _ENDED:
            invocation.update(Status="Cancelling", StatusDetails="Cancelling")
    return {}


def _report(data: Mapping[str, Json]) -> Json:
    """What the controller says of an invocation; the answer to its beginning is what is to be run."""
    record = COMMANDS.get(str(data["command"]))
    if record is None:
        raise ServiceError("InvalidCommandId", f"The command {data['command']} does not exist.")
    invocation = record["_Invocations"][data["instance"]]
    if "plugin" in data:
        for plugin in invocation["CommandPlugins"]:
            if plugin["Name"] == data["plugin"]["Name"]:
                plugin.update(data["plugin"])
    if "status" in data:
        _settle(record, invocation, str(data["status"]), str(data.get("details") or data["status"]))
    return {"steps": record["_Steps"], "status": invocation["Status"]}


def _settle(record: Record, invocation: Record, status: str, details: str = "") -> None:
    if invocation["Status"] in _ENDED:
        return
    if invocation["Status"] == "Cancelling" and status in _ENDED:
        status = details = "Cancelled"
    invocation.update(Status=status, StatusDetails=details or status)
    found = [item["Status"] for item in record["_Invocations"].values()]
    record["CompletedCount"] = sum(item in _ENDED for item in found)
    record["ErrorCount"] = sum(item in ("Failed", "TimedOut", "Undeliverable") for item in found)
    record["DeliveryTimedOutCount"] = sum(item == "Undeliverable" for item in found)
    if record["CompletedCount"] < len(found):
        record.update(Status="InProgress", StatusDetails="InProgress")
        return
    bad = [item for item in found if item != "Success"]
    overall = "Success" if not bad else bad[0] if bad[0] in ("Cancelled", "TimedOut") else "Failed"
    record.update(Status=overall, StatusDetails=overall)


def _information(request: Mapping[str, Json]) -> Mapping[str, Json]:
    found = []
    for item in instances.records():
        if item["State"]["Name"] == "running":
            found.append(
                {
                    "InstanceId": item["InstanceId"],
                    "PingStatus": "ConnectionLost" if item.get("Reachable") is False else "Online",
                    "LastPingDateTime": time.time(),
                    "AgentVersion": "3.3.0.0",
                    "IsLatestVersion": True,
                    "PlatformType": "Linux",
                    "PlatformName": "Amazon Linux",
                    "PlatformVersion": "2023",
                    "ResourceType": "EC2Instance",
                    "IPAddress": item.get("PrivateIpAddress", ""),
                    "ComputerName": item.get("PrivateDnsName", ""),
                }
            )
    for condition in request.get("Filters") or ():
        key, values = condition["Key"], condition["Values"]
        if key.startswith("tag:"):
            found = [item for item in found if ec2_tags(item["InstanceId"]).get(key.removeprefix("tag:")) in values]
        elif key in ("InstanceIds", "PingStatus", "ResourceType", "AgentVersion", "PlatformTypes"):
            name = {"InstanceIds": "InstanceId", "PlatformTypes": "PlatformType"}.get(key, key)
            found = [item for item in found if item[name] in values]
        else:
            raise ServiceError("InvalidFilterKey", f"The filter {key} is unknown here.")
    return page(request, "InstanceInformationList", found, 50)


def work() -> list[Record]:
    """Invocations of the region that have not ended, for the controller."""
    return [
        {
            "command": record["CommandId"],
            "instance": target,
            "status": invocation["Status"],
            "requested": record["RequestedDateTime"],
            "timeout": record["TimeoutSeconds"],
        }
        for record in COMMANDS.values()
        if record["CompletedCount"] < record["TargetCount"]
        for target, invocation in record["_Invocations"].items()
        if invocation["Status"] not in _ENDED
    ]


def _may_send(request: Request) -> Sequence[Check]:
    name = str(request.data.get("DocumentName", "")).rpartition("document/")[2]
    owner = "" if name.startswith("AWS-") else request.account
    checks = [Check(f"arn:aws:ssm:{request.region}:{owner}:document/{name}")]
    try:
        targets = _targets(request.data)
    except (ServiceError, KeyError, TypeError):
        targets = list(request.data.get("InstanceIds") or ())
    return [*checks, *(instance(request, id_) for id_ in targets)]


def instance(request: Request, id_: str) -> Check:
    """An instance, as Systems Manager's calls are asked about it."""
    tags = ec2_tags(id_)
    keys = {**tag_keys("ssm:resourceTag", tags), **tag_keys("aws:ResourceTag", tags)}
    return Check(request.arn("ec2", f"instance/{id_}"), keys)


COMMANDS = emulator.new_table("ssm_commands")
REPORTS = {"ssm.invocation": _report}
RIGHTS = {"ssm:SendCommand": _may_send}
ACTIONS = {
    "SendCommand": _send,
    "GetCommandInvocation": _invocation,
    "ListCommands": _list,
    "ListCommandInvocations": _list_invocations,
    "CancelCommand": _cancel,
    "DescribeInstanceInformation": _information,
}
