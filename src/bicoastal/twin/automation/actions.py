"""What a step can do: one function for each action of Systems Manager's that the twin runs.

Each is given the step's inputs, filled in, and answers with what the step's outputs select from. Calls are made with
the rights of the execution's role. What waits, waits by `Run.pause`, so that a cancellation or a timeout is met there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from bicoastal.core.errors import SystemFault
from bicoastal.twin.automation.values import as_text, duration_s, selected
from bicoastal.twin.pace import Pace

Json = Any


class Run(Protocol):
    """The step that runs, as its action sees it."""

    began: float
    """Seconds since the epoch; before the twin's own start, where it carries on."""
    pace: Pace

    def call(self, service: str, action: str, parameters: Mapping[str, Json]) -> Json:
        """An AWS API's answer. Raises SystemFault, ApiFault for the service's own no."""

    def script(self, text: str, handler: str, payload: Json) -> Json:
        """What a Python function returns that runs with the role's credentials. Raises SystemFault."""

    def pause(self, seconds: float) -> None:
        """Let time pass. Raises what ends the step: its timeout, a cancellation, the twin's end."""

    def await_change(self, number: int) -> int:
        """Let time pass until something has changed since the change of this number, a second at most."""

    def set_variable(self, name: str, value: Json) -> None:
        """For the steps that follow. Raises SystemFault for one that the document does not declare."""


@dataclass(frozen=True)
class Done:
    """How a step went."""

    answer: Json = None
    """What its outputs select from."""
    outputs: Mapping[str, Json] = field(default_factory=dict)
    """Those that the action has without being asked."""
    next_step: str | None = None
    """Where it leads, if it decides that itself; empty is the end."""


Action = Callable[[Run, Mapping[str, Json]], Done]


def _execute_api(run: Run, inputs: Mapping[str, Json]) -> Done:
    return Done(_ask(run, inputs))


def _ask(run: Run, inputs: Mapping[str, Json]) -> Json:
    own = ("Service", "Api", "PropertySelector", "DesiredValues")
    parameters = {name: value for name, value in inputs.items() if name not in own}
    return run.call(str(inputs["Service"]), str(inputs["Api"]), parameters)


def _assert_property(run: Run, inputs: Mapping[str, Json]) -> Done:
    answer = _ask(run, inputs)
    found = selected(answer, str(inputs["PropertySelector"]))
    if not _is_desired(found, inputs):
        wanted = [as_text(value) for value in inputs["DesiredValues"]]
        raise SystemFault(f"{inputs['PropertySelector']} is {as_text(found)}, and not one of {wanted}")
    return Done(answer)


def _wait_for_property(run: Run, inputs: Mapping[str, Json]) -> Done:
    number = run.await_change(-1)
    while True:
        answer = _ask(run, inputs)
        try:
            found = selected(answer, str(inputs["PropertySelector"]))
        except SystemFault:
            found = None
        if found is not None and _is_desired(found, inputs):
            return Done(answer)
        number = run.await_change(number)


def _is_desired(found: Json, inputs: Mapping[str, Json]) -> bool:
    """As texts; `True` in a document is `true`."""
    text = as_text(found)
    wanted = [as_text(value) for value in inputs["DesiredValues"]]
    return text in wanted or (isinstance(found, bool) and text in [value.lower() for value in wanted])


def _sleep(run: Run, inputs: Mapping[str, Json]) -> Done:
    """Until a duration after the step's begin; the twin's pace divides it, and the way to a timestamp alike."""
    if "Duration" in inputs:
        wanted = duration_s(str(inputs["Duration"]))
    else:
        moment = datetime.fromisoformat(str(inputs["Timestamp"]).replace("Z", "+00:00"))
        wanted = moment.timestamp() - run.began
    end = run.began + run.pace.seconds(max(wanted, 0.0))
    while (left := end - time.time()) > 0:
        run.pause(left)
    return Done()


def _branch(run: Run, inputs: Mapping[str, Json]) -> Done:
    del run
    for choice in inputs.get("Choices") or ():
        if _holds(choice):
            return Done(next_step=str(choice["NextStep"]))
    return Done(next_step=str(inputs["Default"]) if inputs.get("Default") else None)


_OPERATORS: Mapping[str, Callable[[Json, Json], bool]] = {
    "StringEquals": lambda value, wanted: as_text(value) == as_text(wanted),
    "EqualsIgnoreCase": lambda value, wanted: as_text(value).lower() == as_text(wanted).lower(),
    "StartsWith": lambda value, wanted: as_text(value).startswith(as_text(wanted)),
    "EndsWith": lambda value, wanted: as_text(value).endswith(as_text(wanted)),
    "Contains": lambda value, wanted: as_text(wanted) in as_text(value),
    "NumericEquals": lambda value, wanted: float(value) == float(wanted),
    "NumericGreater": lambda value, wanted: float(value) > float(wanted),
    "NumericLesser": lambda value, wanted: float(value) < float(wanted),
    "NumericGreaterOrEquals": lambda value, wanted: float(value) >= float(wanted),
    "NumericLesserOrEquals": lambda value, wanted: float(value) <= float(wanted),
    "BooleanEquals": lambda value, wanted: as_text(value).lower() == as_text(wanted).lower(),
}


def _holds(choice: Mapping[str, Json]) -> bool:
    if "And" in choice:
        return all(_holds(item) for item in choice["And"])
    if "Or" in choice:
        return any(_holds(item) for item in choice["Or"])
    if "Not" in choice:
        return not _holds(choice["Not"])
    for name, operator in _OPERATORS.items():
        if name in choice:
            try:
                return operator(choice["Variable"], choice[name])
            except (TypeError, ValueError):
                raise SystemFault(f"{name}: {as_text(choice['Variable'])!r} is no number") from None
    raise SystemFault(f"a choice has no operator that is known: {', '.join(_OPERATORS)}")


def _create_tags(run: Run, inputs: Mapping[str, Json]) -> Done:
    """Set, and read back, as the action does it: its role needs the right to both."""
    kind, ids = str(inputs.get("ResourceType", "EC2")), list(inputs["ResourceIds"])
    if kind == "EC2":
        run.call("ec2", "CreateTags", {"Resources": ids, "Tags": inputs["Tags"]})
        filters = [{"Name": "resource-id", "Values": ids}]
        return Done(run.call("ec2", "DescribeTags", {"Filters": filters}))
    raise SystemFault(f"aws:createTags: the twin tags EC2's resources, and not {kind}")


def _execute_script(run: Run, inputs: Mapping[str, Json]) -> Done:
    runtime = str(inputs.get("Runtime", ""))
    if not runtime.startswith("python3"):
        raise SystemFault(f"the twin runs scripts in Python 3, and not in {runtime}")
    if "Handler" not in inputs or "Script" not in inputs:
        raise SystemFault("a script needs Handler and Script; attachments are not part of the twin")
    payload = run.script(str(inputs["Script"]), str(inputs["Handler"]), inputs.get("InputPayload") or {})
    return Done({"Payload": payload}, {"Payload": payload})


def _run_command(run: Run, inputs: Mapping[str, Json]) -> Done:
    sent = run.call("ssm", "SendCommand", inputs)["Command"]
    number, ended = -1, ("Success", "Failed", "TimedOut", "Cancelled")
    while sent["Status"] not in ended:
        number = run.await_change(number)
        sent = run.call("ssm", "ListCommands", {"CommandId": sent["CommandId"]})["Commands"][0]
    details = {"CommandId": sent["CommandId"], "Details": True}
    invocations = run.call("ssm", "ListCommandInvocations", details)["CommandInvocations"]
    plugins = [plugin for item in invocations for plugin in item["CommandPlugins"]]
    outputs = {
        "CommandId": sent["CommandId"],
        "Status": sent["Status"],
        "ResponseCode": max((plugin["ResponseCode"] for plugin in plugins), default=0),
        "Output": "\n".join(plugin["Output"] for plugin in plugins),
    }
    if sent["Status"] != "Success":
        raise SystemFault(f"the command {sent['CommandId']} ended as {sent['Status']}: {outputs['Output'][-2000:]}")
    return Done(outputs, outputs)


def _update_variable(run: Run, inputs: Mapping[str, Json]) -> Done:
    run.set_variable(str(inputs["Name"]).removeprefix("variable:"), inputs["Value"])
    return Done()


ACTIONS: Mapping[str, Action] = {
    "aws:executeAwsApi": _execute_api,
    "aws:assertAwsResourceProperty": _assert_property,
    "aws:waitForAwsResourceProperty": _wait_for_property,
    "aws:sleep": _sleep,
    "aws:branch": _branch,
    "aws:createTags": _create_tags,
    "aws:executeScript": _execute_script,
    "aws:runCommand": _run_command,
    "aws:updateVariable": _update_variable,
}
WAITS = ("aws:sleep", "aws:waitForAwsResourceProperty")
"""Actions that let time pass: their timeout is a time of AWS's, and the pace divides it. That of others bounds real
work, which takes as long as it takes at any pace."""
