"""An Automation document, read: its steps in order, and where each leads to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bicoastal.twin.automation.values import from_strings

Json = Any
ABORT = "Abort"
CONTINUE = "Continue"


@dataclass(frozen=True)
class Output:
    """What a step keeps of its answer."""

    name: str
    selector: str
    type: str


@dataclass(frozen=True)
class Step:
    """One of the document's."""

    name: str
    action: str
    inputs: Mapping[str, Json]
    on_failure: str = ABORT
    """`Abort`, `Continue`, or the name of a step."""
    on_cancel: str = ABORT
    """`Abort`, or the name of a step."""
    is_critical: bool = True
    """Whether the execution has failed where it has, even if it goes on."""
    is_end: bool = False
    next_step: str = ""
    attempts: int = 1
    timeout_s: float | None = None
    outputs: tuple[Output, ...] = ()

    @classmethod
    def of(cls, content: Mapping[str, Json]) -> Step:
        """As it stands in a document that Systems Manager has taken."""
        timeout = content.get("timeoutSeconds")
        return cls(
            str(content["name"]),
            str(content["action"]),
            content.get("inputs") or {},
            _way(content.get("onFailure", ABORT)),
            _way(content.get("onCancel", ABORT)),
            _truth(content.get("isCritical", True)),
            _truth(content.get("isEnd", False)),
            str(content.get("nextStep", "")),
            int(content.get("maxAttempts", 1)),
            None if timeout is None else float(timeout),
            tuple(
                Output(str(item["Name"]), str(item.get("Selector", "")), str(item.get("Type", "String")))
                for item in content.get("outputs") or ()
            ),
        )


@dataclass(frozen=True)
class Document:
    """The steps by name, in their order, and what the execution keeps at its end."""

    steps: Mapping[str, Step]
    outputs: Sequence[str]
    parameters: Mapping[str, Json]
    """As the execution was given them, in their types."""
    variables: Mapping[str, Json]

    @classmethod
    def of(cls, content: Mapping[str, Json], given: Mapping[str, list[str]]) -> Document:
        """The content of a version, and the parameters of an execution as the API lists them."""
        steps = [Step.of(item) for item in content["mainSteps"]]
        declared = content.get("parameters") or {}
        return cls(
            {step.name: step for step in steps},
            [str(item) for item in content.get("outputs") or ()],
            {name: from_strings(list(values), _kind(declared.get(name, {}))) for name, values in given.items()},
            {name: item.get("default", "") for name, item in (content.get("variables") or {}).items()},
        )

    def after(self, step: Step) -> str:
        """The step that comes when this one is done; empty at the end."""
        if step.is_end:
            return ""
        if step.next_step:
            return step.next_step
        names = list(self.steps)
        position = names.index(step.name) + 1
        return names[position] if position < len(names) else ""


def _kind(definition: Mapping[str, Json]) -> str:
    kind = str(definition.get("type", "String"))
    return "StringList" if kind.startswith("List<") else kind


def _way(value: Json) -> str:
    return str(value).removeprefix("step:").strip()


def _truth(value: Json) -> bool:
    return str(value).lower() == "true"
