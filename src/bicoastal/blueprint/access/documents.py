"""SSM documents as values: one function per kind of step, so that a document reads as the list of what it does.

It knows the language of Automation runbooks and nothing of what they are for. Steps run in the order in which they are
written unless they say where to go; a failing step ends the execution unless it says otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bicoastal.blueprint.stack import Resource, Stack
from bicoastal.cfn.intrinsics import Value

Step = dict[str, Value]


@dataclass(frozen=True)
class Then:
    """Where an execution goes from a step, when that isn't simply the next one."""

    on_failure: str = ""
    """A step's name, or `Continue`; empty ends the execution as failed."""
    on_cancel: str = ""
    """A step's name: what still runs (within two minutes) when somebody cancels the execution during this step."""
    end: bool = False
    attempts: int = 1
    timeout_seconds: int = 0
    """0 is Automation's default, an hour."""

    def apply(self, step: Step) -> Step:
        """The step with these properties, in the order in which AWS documents them."""
        if self.attempts > 1:
            step["maxAttempts"] = self.attempts
        if self.timeout_seconds:
            step["timeoutSeconds"] = self.timeout_seconds
        if self.on_failure:
            step["onFailure"] = self.on_failure if self.on_failure == "Continue" else f"step:{self.on_failure}"
        if self.on_cancel:
            step["onCancel"] = f"step:{self.on_cancel}"
        if self.end:
            step["isEnd"] = True
        return step


NEXT = Then()


def add_document(stack: Stack, logical_id: str, name: str, kind: str, content: Value, *, comment: str = "") -> Resource:
    """A document of `kind` (Automation, Command, Session).

    An edit becomes a new version, which is the default one at once.
    """
    return stack.add(
        logical_id,
        "AWS::SSM::Document",
        {
            "Name": name,
            "DocumentType": kind,
            "DocumentFormat": "JSON",
            "UpdateMethod": "NewVersion",
            "Content": content,
        },
        comment=comment,
    )


def automation(
    description: str, role: Value, parameters: Mapping[str, Value], steps: Sequence[Step]
) -> dict[str, Value]:
    """An Automation runbook that runs as `role` (its ARN), whoever starts it."""
    return {
        "schemaVersion": "0.3",
        "description": description,
        "assumeRole": role,
        "parameters": dict(parameters),
        "mainSteps": list(steps),
    }


def parameter(description: str, *, type_: str = "String", **constraints: Value) -> dict[str, Value]:
    """A parameter of a document. Without a `default` it must be given."""
    return {"type": type_, "description": description, **constraints}


def call_api(
    name: str,
    service: str,
    api: str,
    request: Mapping[str, Value],
    *,
    outputs: Mapping[str, str] | None = None,
    then: Then = NEXT,
) -> Step:
    """Call an AWS API; `outputs` maps names to selectors in the answer, such as `$.Instances[0].InstanceId`."""
    step: Step = {
        "name": name,
        "action": "aws:executeAwsApi",
        "inputs": {"Service": service, "Api": api, **request},
    }
    if outputs:
        step["outputs"] = [
            {"Name": output, "Selector": selector, "Type": "String"} for output, selector in outputs.items()
        ]
    return then.apply(step)


def require(
    name: str,
    service: str,
    api: str,
    request: Mapping[str, Value],
    *,
    selector: str,
    values: Sequence[Value],
    then: Then = NEXT,
) -> Step:
    """Fail unless the selected property of the answer has one of the values now."""
    inputs = {"Service": service, "Api": api, **request, "PropertySelector": selector, "DesiredValues": list(values)}
    return then.apply({"name": name, "action": "aws:assertAwsResourceProperty", "inputs": inputs})


def wait_for(
    name: str,
    service: str,
    api: str,
    request: Mapping[str, Value],
    *,
    selector: str,
    values: Sequence[Value],
    then: Then,
) -> Step:
    """Ask again until the selected property has one of the values.

    `then.timeout_seconds` is the deadline and required.
    """
    if not then.timeout_seconds:
        raise ValueError(f"{name} waits without a deadline")
    inputs = {"Service": service, "Api": api, **request, "PropertySelector": selector, "DesiredValues": list(values)}
    return then.apply({"name": name, "action": "aws:waitForAwsResourceProperty", "inputs": inputs})


def run_script(
    name: str,
    script: str,
    handler: str,
    payload: Mapping[str, Value],
    *,
    outputs: Mapping[str, str] | None = None,
    then: Then = NEXT,
) -> Step:
    """Run a Python function of `script`; it gets the payload and `outputs` are selected from `$.Payload`."""
    step: Step = {
        "name": name,
        "action": "aws:executeScript",
        "inputs": {"Runtime": "python3.11", "Handler": handler, "InputPayload": dict(payload), "Script": script},
    }
    if outputs:
        step["outputs"] = [
            {"Name": output, "Selector": f"$.Payload.{field}", "Type": "String"} for output, field in outputs.items()
        ]
    return then.apply(step)


def tag_instance(name: str, instance: Value, key: str, value: Value, *, then: Then = NEXT) -> Step:
    """Tag an EC2 instance, by the action that also heeds a cancel."""
    inputs = {"ResourceType": "EC2", "ResourceIds": [instance], "Tags": [{"Key": key, "Value": value}]}
    return then.apply({"name": name, "action": "aws:createTags", "inputs": inputs})


def sleep(name: str, duration: Value, *, then: Then = NEXT) -> Step:
    """Wait for an ISO 8601 duration, such as `PT30M`."""
    return then.apply({"name": name, "action": "aws:sleep", "inputs": {"Duration": duration}})


def go_if(name: str, variable: str, equals: str, go_to: str) -> Step:
    """Go to a step if a text equals another one; otherwise the execution ends here, successfully."""
    choice = {"Variable": variable, "StringEquals": equals, "NextStep": go_to}
    return {"name": name, "action": "aws:branch", "inputs": {"Choices": [choice]}, "isEnd": True}
