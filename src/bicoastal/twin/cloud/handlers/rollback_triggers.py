"""RollbackConfiguration: alarms that CloudFormation watches while it changes a stack, and for a while afterwards.

ministack has none of it. It is taken with what begins an operation or a change set, kept for the stack's later updates
as on AWS, told by DescribeStacks and DescribeChangeSet, and acted on: a trigger that is in ALARM, or is not there, ends
the operation like a cancellation, and the stack goes back before anything old was disposed of. While it goes back
nobody watches. From the CloudFormation User Guide, "Roll back your CloudFormation stack on alarm breach with rollback
triggers". How AWS words the event has not been seen: nothing may depend on it.

The time of watching is one more resource for ministack's engine, after all others, of which nobody is told: only
there, between the last resource and the disposal of old ones, does the engine let others work.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from html import escape
from typing import Any

from bicoastal.twin.cloud import answers, emulator, planes
from bicoastal.twin.cloud.answers import Answer, ServiceError
from bicoastal.twin.cloud.registry import Refused

Json = Any
Record = MutableMapping[str, Json]

NAMESPACE = "http://cloudformation.amazonaws.com/doc/2010-05-15/"
MOST_TRIGGERS = 5
MOST_MINUTES = 180
CONFIGURATION = "RollbackConfiguration"
_WATCHED = {"AWS::CloudWatch::Alarm": "_alarms", "AWS::CloudWatch::CompositeAlarm": "_composite_alarms"}
_ARN = re.compile(r"arn:aws[a-z-]*:cloudwatch:[a-z0-9-]+:\d{12}:alarm:.+")
_TYPE = "Bicoastal::Twin::Watching"
_NAME = "BicoastalWatching"
"""No template's logical id is watched for this one: it exists while an operation runs, and in no answer."""
_BECAUSE = "_rolled_back_because"
_LOOK_S = 0.05
_NOTHING: Mapping[str, Json] = {"RollbackTriggers": [], "MonitoringTimeInMinutes": 0}


def install() -> None:
    """Put all of it in place."""
    _take()
    _tell()
    _engine()


def _take() -> None:
    """With what begins an operation, or a change set: kept for the stack where it is given, and there already else."""
    actions = emulator.cloudformation("handlers")._ACTION_HANDLERS
    create_set, execute = actions["CreateChangeSet"], actions["ExecuteChangeSet"]
    sets = emulator.of_service("cloudformation", "_change_sets")

    def checked(action: Callable[[Mapping[str, Json]], Answer]) -> Callable[[Mapping[str, Json]], Answer]:
        def answer(params: Mapping[str, Json]) -> Answer:
            try:
                given = _given(params)
            except ServiceError as error:
                return answers.query_error(error, NAMESPACE)
            stack = _stack(params)
            before = stack.get(CONFIGURATION) if stack else None
            if given is not None and stack is not None:
                stack[CONFIGURATION] = given
            found = action(params)
            if found[0] != 200 and stack is not None:
                _put(stack, before)
            elif given is not None and stack is None and (made := _stack(params)) is not None:
                made[CONFIGURATION] = given
            return found

        return answer

    def create_change_set(params: Mapping[str, Json]) -> Answer:
        try:
            given = _given(params)
        except ServiceError as error:
            return answers.query_error(error, NAMESPACE)
        known = set(sets)
        found: Answer = create_set(params)
        for id_ in set(sets) - known:
            stack = _stack({"StackName": sets[id_]["StackId"]}) or {}
            sets[id_][CONFIGURATION] = given if given is not None else stack.get(CONFIGURATION)
        return found

    def execute_change_set(params: Mapping[str, Json]) -> Answer:
        asked = answers.unflatten(params)
        name, of = asked.get("ChangeSetName", ""), asked.get("StackName", "")
        wanted = next(
            (
                one for id_, one in sets.items()
                if name == id_ or (name == one["ChangeSetName"] and of in (one["StackName"], one["StackId"]))
            ),
            None,
        )  # fmt: skip
        stack = _stack({"StackName": wanted["StackId"]}) if wanted else None
        before = stack.get(CONFIGURATION) if stack else None
        if stack is not None and wanted is not None:
            _put(stack, wanted.get(CONFIGURATION))
        found: Answer = execute(params)
        if found[0] != 200 and stack is not None:
            _put(stack, before)
        return found

    actions["CreateStack"], actions["UpdateStack"] = checked(actions["CreateStack"]), checked(actions["UpdateStack"])
    actions["CreateChangeSet"], actions["ExecuteChangeSet"] = create_change_set, execute_change_set


def _put(stack: Record, configuration: Json) -> None:
    if configuration is None:
        stack.pop(CONFIGURATION, None)
    else:
        stack[CONFIGURATION] = configuration


def _given(params: Mapping[str, Json]) -> Json:
    """What a request says; None where it says nothing. Raises ServiceError as AWS validates it."""
    asked = answers.unflatten({name: value for name, value in params.items() if name.startswith(CONFIGURATION)})
    if CONFIGURATION not in asked:
        return None
    said = asked[CONFIGURATION] or {}
    triggers = said.get("RollbackTriggers") or []
    minutes = int(said.get("MonitoringTimeInMinutes") or 0)
    if len(triggers) > MOST_TRIGGERS:
        raise _invalid(f"RollbackTriggers: a stack can have {MOST_TRIGGERS} at most")
    if not 0 <= minutes <= MOST_MINUTES:
        raise _invalid(f"MonitoringTimeInMinutes: {minutes} is not between 0 and {MOST_MINUTES}")
    for trigger in triggers:
        if trigger.get("Type") not in _WATCHED:
            raise _invalid(f"RollbackTriggers: {trigger.get('Type')} is no type of a rollback trigger")
        if not _ARN.fullmatch(str(trigger.get("Arn"))):
            raise _invalid(f"RollbackTriggers: {trigger.get('Arn')} is no ARN of an alarm")
    return {
        "RollbackTriggers": [{"Arn": trigger["Arn"], "Type": trigger["Type"]} for trigger in triggers],
        "MonitoringTimeInMinutes": minutes,
    }


def _invalid(text: str) -> ServiceError:
    return ServiceError("ValidationError", text)


def _stack(params: Mapping[str, Json]) -> Record | None:
    name = answers.unflatten(params).get("StackName", "")
    found: Record | None = emulator.cloudformation("handlers")._resolve_stack(name)
    return found if found and found.get("StackStatus") != "DELETE_COMPLETE" else None


def _tell() -> None:
    """In what describes a stack, or a change set."""
    actions = emulator.cloudformation("handlers")._ACTION_HANDLERS
    stacks = emulator.of_service("cloudformation", "_stacks")
    sets = emulator.of_service("cloudformation", "_change_sets")

    def telling(action: str, tag: str, find: Callable[[str], Mapping[str, Json] | None]) -> None:
        inner = actions[action]

        def written(found: re.Match[str]) -> str:
            return found[0] + _written((find(found[1]) or {}).get(CONFIGURATION))

        def answer(params: Mapping[str, Json]) -> Answer:
            status, headers, body = inner(params)
            text = body.decode() if isinstance(body, bytes) else body
            if status == 200:
                text = re.sub(rf"<{tag}>([^<]+)</{tag}>", written, text)
            return status, headers, text.encode()

        actions[action] = answer

    telling(
        "DescribeStacks",
        "StackId",
        lambda id_: next((stack for stack in list(stacks.values()) if stack["StackId"] == id_), None),
    )
    telling("DescribeChangeSet", "ChangeSetId", sets.get)


def _written(configuration: Json) -> str:
    said = configuration or _NOTHING
    members = "".join(
        f"<member><Arn>{escape(one['Arn'])}</Arn><Type>{one['Type']}</Type></member>"
        for one in said["RollbackTriggers"]
    )
    minutes = said["MonitoringTimeInMinutes"]
    inner = f"<RollbackTriggers>{members}</RollbackTriggers>" if members else ""
    inner += f"<MonitoringTimeInMinutes>{minutes}</MonitoringTimeInMinutes>" if members or minutes else ""
    return f"<{CONFIGURATION}>{inner}</{CONFIGURATION}>"


def _engine() -> None:
    """Around the engine: the watching, what it leaves in events, and why the stack went back."""
    stacks = emulator.stacks()
    deploy, go_back, add_event = stacks._deploy_stack_async, stacks._roll_back_operation, stacks._add_event
    sort, outputs, provision = stacks._topological_sort, stacks._resolve_stack_outputs, stacks._provision_resource
    waits = stacks._runs_on_worker_thread

    async def watched(name: str, id_: str, template: Json, *others: Any, **options: Any) -> None:
        stack = emulator.of_service("cloudformation", "_stacks")[name]
        stack.pop(_BECAUSE, None)
        configuration = stack.get(CONFIGURATION) or _NOTHING
        if not any(configuration.values()):
            await deploy(name, id_, template, *others, **options)
            return
        more = {**template, "Resources": {**template.get("Resources", {}), _NAME: {"Type": _TYPE}}}
        looking = asyncio.get_running_loop().create_task(_look(stack, configuration["RollbackTriggers"]))
        try:
            await deploy(name, id_, more, *others, **options)
        finally:
            looking.cancel()
            for found in (stack, stack.get("_failed_operation") or {}):
                for key in ("_template", "template"):
                    if _NAME in (found.get(key) or {}).get("Resources", {}):
                        found[key] = template
            stack.get("_resources", {}).pop(_NAME, None)

    async def go_back_because(name: str, id_: str, stack: Record, operation: Record, reason_override: str = "") -> None:
        # Else the way back would be cancelled, too, wherever it waits.
        cancelled = stack.pop("_cancel_requested", False) or operation.get("failed_logical_id") == _NAME
        because = stack.pop(_BECAUSE, "") or ("User Initiated" if cancelled else "")
        operation["created"] = [one for one in operation.get("created") or () if one != _NAME]
        await go_back(name, id_, stack, operation, reason_override or because)

    def add_event_unless_ours(stack_id: str, stack_name: str, logical_id: str, *others: Any, **more: Any) -> None:
        if logical_id != _NAME:
            add_event(stack_id, stack_name, logical_id, *others, **more)

    def sort_with_ours_last(resources: Json, conditions: Json) -> list[str]:
        found: list[str] = sort(resources, conditions)
        return sorted(found, key=lambda one: one == _NAME)

    def outputs_without_ours(*arguments: Any) -> Any:
        stack = emulator.of_service("cloudformation", "_stacks").get(arguments[5])
        if stack is not None:
            stack.get("_resources", {}).pop(_NAME, None)
        return outputs(*arguments)

    def provision_or_watch(type_: str, logical_id: str, properties: Json, stack: str) -> Any:
        if type_ != _TYPE:
            return provision(type_, logical_id, properties, stack)
        _watch(emulator.of_service("cloudformation", "_stacks")[stack])
        return logical_id, {}

    stacks._deploy_stack_async, stacks._roll_back_operation = watched, go_back_because
    emulator.cloudformation("changesets")._deploy_stack_async = watched
    emulator.cloudformation("handlers")._deploy_stack_async = watched
    emulator.cloudformation("handlers")._roll_back_operation = go_back_because
    stacks._add_event, stacks._topological_sort = add_event_unless_ours, sort_with_ours_last
    stacks._resolve_stack_outputs, stacks._provision_resource = outputs_without_ours, provision_or_watch
    stacks._runs_on_worker_thread = lambda type_: type_ == _TYPE or waits(type_)


async def _look(stack: Record, triggers: Sequence[Mapping[str, str]]) -> None:
    """At every trigger, until one ends the operation, or it has another end."""
    while stack["StackStatus"] in ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS") and not _ended(stack, triggers):
        await asyncio.sleep(_LOOK_S)


def _ended(stack: Record, triggers: Sequence[Mapping[str, str]]) -> bool:
    """Whether a trigger ends the operation."""
    because = next(filter(None, map(_breached, triggers)), "")
    if because:
        stack[_BECAUSE], stack["_cancel_requested"] = because, True
    return bool(because)


def _breached(trigger: Mapping[str, str]) -> str:
    """Why it ends an operation, or empty."""
    name = trigger["Arn"].partition(":alarm:")[2]
    alarm = emulator.store("cloudwatch", _WATCHED[trigger["Type"]]).get(name)
    if alarm is None:
        return f"Rollback trigger {trigger['Arn']} does not exist"
    return f"Rollback trigger {trigger['Arn']} is in ALARM state" if alarm.get("StateValue") == "ALARM" else ""


def _watch(stack: Record) -> None:
    """For the time that the stack has. Raises Refused when a trigger, or a user, ends the operation before."""
    configuration = stack.get(CONFIGURATION) or _NOTHING
    seconds = planes.seconds(configuration["MonitoringTimeInMinutes"] * 60.0)
    end = time.monotonic() + seconds

    def over() -> bool:
        if stack.get("_cancel_requested") or _ended(stack, configuration["RollbackTriggers"]):
            raise Refused("Resource update cancelled")
        return time.monotonic() >= end

    planes.wait_until(f"the watching of {stack['StackName']}", over, seconds + 60.0)
