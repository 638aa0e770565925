"""Systems Manager Automation: executions are begun, stopped and read here; the automation controller runs them.

An execution is kept here with all of its steps, so that a controller that starts anew finds what is left to do.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bicoastal.twin.cloud import emulator
from bicoastal.twin.cloud.handlers import events, ssm, ssm_parameters
from bicoastal.twin.cloud.registry import ServiceError, Unchanged
from bicoastal.twin.cloud.rights import Check, Request, hand_over

Json = Any
Record = dict[str, Json]
INVALID = "InvalidAutomationExecutionParametersException"
ENDED = ("Success", "Failed", "TimedOut", "Cancelled", "CompletedWithSuccess", "CompletedWithFailure")
_DEFAULT_PAGE, _LARGEST_PAGE = 10, 50


def _start(request: Mapping[str, Json]) -> Mapping[str, Json]:
    token = request.get("ClientToken")
    earlier = next((record for record in EXECUTIONS.values() if token and record["_Token"] == token), None)
    if earlier:
        if earlier["_Request"] != dict(request):
            raise ServiceError("IdempotentParameterMismatch", "The token was used with other parameters before.")
        return {"AutomationExecutionId": earlier["AutomationExecutionId"]}
    for unsupported in ("Targets", "TargetParameterName", "TargetMaps", "TargetLocations"):
        if request.get(unsupported):
            raise ServiceError(INVALID, f"{unsupported}: rate control and other accounts are not part of the twin.")
    record, content, version = _definition(request)
    parameters = ssm_parameters.checked(content.get("parameters") or {}, request.get("Parameters") or {}, INVALID)
    role = _role(content, parameters)
    caller = emulator.caller()
    if not role and not caller.endswith(":root"):
        raise ServiceError(INVALID, f"{record['Name']} has no assumeRole: on the twin only the account's root may so.")
    id_ = str(uuid.uuid4())
    EXECUTIONS[id_] = {
        "AutomationExecutionId": id_,
        "DocumentName": record["Name"],
        "DocumentVersion": version,
        "ExecutionStartTime": time.time(),
        "AutomationExecutionStatus": "Pending",
        "StepExecutions": [_pending(step) for step in content["mainSteps"]],
        "StepExecutionsTruncated": False,
        "Parameters": parameters,
        "Outputs": {},
        "Mode": request.get("Mode", "Auto"),
        "ExecutedBy": caller,
        "Targets": [],
        "ResolvedTargets": {"ParameterValues": [], "Truncated": False},
        "AutomationType": "Local",
        "_Token": token,
        "_Request": dict(request),
        "_Stop": "",
        # As of the start: another version, or its deletion, changes nothing for an execution that runs.
        "_Content": content,
        "_Role": role,
    }
    events.call_seen("ssm", "StartAutomationExecution", request)
    _tell(EXECUTIONS[id_])
    return {"AutomationExecutionId": id_}


def _definition(request: Mapping[str, Json]) -> tuple[Record, Record, str]:
    """The document, the content of its version, and that version's number."""
    name = str(request["DocumentName"])
    record: Record | None = ssm.DOCUMENTS.get(name.rpartition("/")[2])
    if record is None or record["DocumentType"] != "Automation":
        raise ServiceError("AutomationDefinitionNotFoundException", f"Automation definition {name} does not exist.")
    try:
        version = ssm.version_number(record, request.get("DocumentVersion"))
    except ServiceError as error:
        raise ServiceError("AutomationDefinitionVersionNotFoundException", error.message) from error
    kept = record["Versions"][version]
    return record, ssm.parsed(kept["Content"], kept["Format"]), version


def _role(content: Record, parameters: Mapping[str, Sequence[str]]) -> str:
    """The role that it runs as; empty where it runs as its caller."""
    found = ssm_parameters.filled(str(content.get("assumeRole") or ""), parameters).strip()
    return "" if found.startswith("{{") else found


def _pending(step: Mapping[str, Json]) -> Record:
    return {
        "StepName": step["name"],
        "Action": step["action"],
        "StepStatus": "Pending",
        "StepExecutionId": str(uuid.uuid4()),
        "OnFailure": str(step.get("onFailure", "Abort")),
        "MaxAttempts": int(step.get("maxAttempts", 1)),
        "IsEnd": _truth(step.get("isEnd", False)),
        "IsCritical": _truth(step.get("isCritical", True)),
        **({"TimeoutSeconds": int(step["timeoutSeconds"])} if "timeoutSeconds" in step else {}),
        **({"NextStep": step["nextStep"]} if "nextStep" in step else {}),
        "Inputs": {},
        "Outputs": {},
    }


def _truth(value: Json) -> bool:
    return str(value).lower() == "true"


def _found(id_: str) -> Record:
    record: Record | None = EXECUTIONS.get(id_)
    if record is None:
        raise ServiceError("AutomationExecutionNotFoundException", f"Automation execution {id_} does not exist.")
    return record


def _public(record: Record) -> Record:
    return {name: value for name, value in record.items() if not name.startswith("_")}


def _metadata(record: Record) -> Record:
    left_out = ("StepExecutions", "StepExecutionsTruncated", "Parameters")
    return {name: value for name, value in _public(record).items() if name not in left_out}


def _stop(request: Mapping[str, Json]) -> Mapping[str, Json]:
    record = _found(request["AutomationExecutionId"])
    if record["AutomationExecutionStatus"] in ENDED:
        raise ServiceError("InvalidAutomationStatusUpdateException", "The execution has ended already.")
    kind = request.get("Type") or "Cancel"
    if kind not in ("Cancel", "Complete"):
        raise ServiceError("ValidationException", f"{kind} is no stop type: Cancel and Complete are.")
    record["_Stop"] = kind
    _move(record, "Cancelling")
    return {}


def _describe(request: Mapping[str, Json]) -> Mapping[str, Json]:
    found = sorted(EXECUTIONS.values(), key=lambda record: record["ExecutionStartTime"], reverse=True)
    for condition in request.get("Filters") or ():
        test = _FILTERS.get(condition["Key"])
        if test is None:
            raise ServiceError("InvalidFilterKey", f"The filter {condition['Key']} is unknown here.")
        found = [record for record in found if test(record, condition["Values"])]
    return page(request, "AutomationExecutionMetadataList", [_metadata(record) for record in found])


_FILTERS: Mapping[str, Callable[[Record, Sequence[str]], bool]] = {
    "DocumentNamePrefix": lambda record, values: record["DocumentName"].startswith(tuple(values)),
    "ExecutionStatus": lambda record, values: record["AutomationExecutionStatus"] in values,
    "ExecutionId": lambda record, values: record["AutomationExecutionId"] in values,
    "CurrentAction": lambda record, values: record.get("CurrentAction") in values,
    "StartTimeBefore": lambda record, values: events.iso(record["ExecutionStartTime"]) <= values[0],
    "StartTimeAfter": lambda record, values: events.iso(record["ExecutionStartTime"]) >= values[0],
}


def _describe_steps(request: Mapping[str, Json]) -> Mapping[str, Json]:
    found = list(_found(request["AutomationExecutionId"])["StepExecutions"])
    keys = {"StepExecutionStatus": "StepStatus", "StepName": "StepName", "Action": "Action"}
    for condition in request.get("Filters") or ():
        if condition["Key"] not in keys:
            raise ServiceError("InvalidFilterKey", f"The filter {condition['Key']} is unknown here.")
        found = [step for step in found if step.get(keys[condition["Key"]]) in condition["Values"]]
    return page(request, "StepExecutions", found[::-1] if request.get("ReverseOrder") else found)


def page(request: Mapping[str, Json], name: str, found: Sequence[Json], default: int = _DEFAULT_PAGE) -> Record:
    """A page of an answer, by MaxResults and NextToken. Raises ServiceError for a token that was never given."""
    token = str(request.get("NextToken") or "0")
    if not token.isdecimal():
        raise ServiceError("InvalidNextToken", "The specified token isn't valid.")
    first, most = int(token), min(int(request.get("MaxResults") or default), _LARGEST_PAGE)
    more = {"NextToken": str(first + most)} if first + most < len(found) else {}
    return {name: list(found[first : first + most]), **more}


def _report(data: Mapping[str, Json]) -> Json:
    """What the controller says of an execution; the answer is what it runs, and how it was asked to stop, if it was."""
    record = _found(str(data["id"]))
    if record["AutomationExecutionStatus"] in ENDED:
        # The controller has looked before the end, and would run it all again.
        return Unchanged({"stop": record["_Stop"], "work": None})
    for step in data.get("steps", ()):
        _update_step(record, step)
    for name in ("Outputs", "FailureMessage", "CurrentStepName", "CurrentAction"):
        if name in data:
            record[name] = data[name]
    if "status" in data:
        _move(record, str(data["status"]))
    return {"stop": record["_Stop"], **({"work": _work(record)} if data.get("begin") else {})}


def _work(record: Record) -> Record:
    return {"content": record["_Content"], "role": record["_Role"], **_public(record)}


def _update_step(record: Record, step: Mapping[str, Json]) -> None:
    for known in record["StepExecutions"]:
        if known["StepName"] == step["StepName"]:
            known.update(step)


def _move(record: Record, status: str) -> None:
    was = record["AutomationExecutionStatus"]
    if status == was or was in ENDED or (was == "Cancelling" and status not in ENDED):
        return
    record["AutomationExecutionStatus"] = status
    if status in ENDED:
        record["ExecutionEndTime"] = time.time()
        record.pop("CurrentStepName", None)
        record.pop("CurrentAction", None)
    _tell(record)


def _tell(record: Record) -> None:
    id_ = record["AutomationExecutionId"]
    arn = f"arn:aws:ssm:{emulator.region()}:{emulator.account()}:automation-execution/{id_}"
    detail = {
        "ExecutionId": id_,
        "Definition": record["DocumentName"],
        "DefinitionVersion": record["DocumentVersion"],
        "Status": record["AutomationExecutionStatus"],
        "StartTime": events.iso(record["ExecutionStartTime"]),
        "Time": events.iso(time.time()),
        "ExecutedBy": record["ExecutedBy"],
        **({"EndTime": events.iso(record["ExecutionEndTime"])} if "ExecutionEndTime" in record else {}),
    }
    events.emit("aws.ssm", "EC2 Automation Execution Status-change Notification", detail, [arn])


def _may_start(request: Request) -> Sequence[Check]:
    name = str(request.data.get("DocumentName", "")).rpartition("/")[2]
    checks = [Check(request.arn("ssm", f"document/{name}")), Check(request.arn("ssm", "automation-execution/*"))]
    try:
        _, content, _ = _definition(request.data)
        given = request.data.get("Parameters") or {}
        role = _role(content, ssm_parameters.checked(content.get("parameters") or {}, given, INVALID))
    except (ServiceError, KeyError, TypeError):
        return checks  # the call itself will say what is wrong with it
    return [*checks, hand_over(role, "ssm.amazonaws.com")] if role else checks


def _may_use(request: Request) -> Sequence[Check]:
    return [Check(request.arn("ssm", f"automation-execution/{request.data.get('AutomationExecutionId', '*')}"))]


def work() -> list[Record]:
    """Executions of the region that have not ended, for the controller."""
    return [
        {"id": record["AutomationExecutionId"], "status": record["AutomationExecutionStatus"], "stop": record["_Stop"]}
        for record in EXECUTIONS.values()
        if record["AutomationExecutionStatus"] not in ENDED
    ]


EXECUTIONS = emulator.new_table("ssm_executions")
REPORTS = {"ssm.execution": _report}
RIGHTS = {
    "ssm:StartAutomationExecution": _may_start,
    "ssm:GetAutomationExecution": _may_use,
    "ssm:DescribeAutomationStepExecutions": _may_use,
    "ssm:StopAutomationExecution": _may_use,
}
ACTIONS = {
    "StartAutomationExecution": _start,
    "GetAutomationExecution": lambda request: {
        "AutomationExecution": _public(_found(request["AutomationExecutionId"]))
    },
    "DescribeAutomationExecutions": _describe,
    "DescribeAutomationStepExecutions": _describe_steps,
    "StopAutomationExecution": _stop,
}
