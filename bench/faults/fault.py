"""A fault: what it changes in the sound deployment, and the rule that must find it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from bench.faults.base import Built, Json, sound

GONE: Final = object()
Place = tuple[str | int, ...]
"""Stack, logical id, and the path below its properties; an attribute beside them by its name."""
Edit = Mapping[Place, Any]
_BESIDE = ("Metadata", "DeletionPolicy", "UpdateReplacePolicy", "CreationPolicy", "UpdatePolicy")


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong."""

    rule: str
    edits: Edit
    """Place to its new value: `GONE`, a function of the old one, or what stands there now."""
    name: str = ""
    """Where a rule has several."""

    sections: Mapping[str, dict[str, dict[str, Json]]] = field(default_factory=dict)
    """Stack to entries of its template's other sections, such as a parameter that the edits refer to."""

    feeds: Mapping[str, dict[str, tuple[str, str]]] = field(default_factory=dict)
    """Stack to parameters that are fed otherwise: by which stack and output."""
    gives: Mapping[str, dict[str, Json]] = field(default_factory=dict)
    """Stack to more outputs."""

    @property
    def id(self) -> str:
        """What tests and reports call it."""
        return f"{self.rule}{self.name and '-'}{self.name}"

    def built(self) -> dict[str, Built]:
        """The deployment with the fault in it. Raises KeyError where an edit leads nowhere, or changes nothing."""
        stacks = sound()
        for place, value in self.edits.items():
            _edit(stacks, place, value)
        for stack, more in self.sections.items():
            stacks[stack].sections = more
        for stack, fed in self.feeds.items():
            stacks[stack].parameters.update(fed)
        for stack, given in self.gives.items():
            stacks[stack].outputs.update(given)
        return stacks


def _edit(stacks: dict[str, Built], place: Place, value: Any) -> None:
    stack, logical, *path = place
    resources = stacks[str(stack)].resources
    if not path:
        if value is GONE:
            del resources[str(logical)]
        else:
            resources[str(logical)] = value
        return
    node: Json = resources[str(logical)]
    steps: list[Any] = list(path) if path[0] in node or path[0] in _BESIDE else ["Properties", *path]
    for step in steps[:-1]:
        node = node[step]
    last = steps[-1]
    old = node[last] if isinstance(node, list) else node.get(last, GONE)
    new = value(old) if isinstance(value, Callable) else value  # type: ignore[arg-type]
    if new == old:
        raise KeyError(f"{place} is {old} already")
    if new is GONE:
        del node[last]
    else:
        node[last] = new
