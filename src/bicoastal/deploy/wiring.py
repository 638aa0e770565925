"""What feeds each parameter of a stack: a value, another stack's output, what operations left there, or a choice.

Pure: what is there, and how choices are made, is handed in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bicoastal.cfn.manifest import Chosen, FromOutput, Literal, Live, StackEntry

Choose = Callable[[Chosen, str, str | None], str]
"""Takes the choice, the region, and what was chosen before (None: nothing); returns the value."""
Outputs = Mapping[str, Mapping[str, str]]
"""Outputs of the stacks that are there, by entry id."""


@dataclass(frozen=True)
class Wired:
    """A stack's parameters."""

    values: Mapping[str, str]
    """All of them, when nothing is unknown."""
    unknown: tuple[FromOutput, ...] = ()
    """Outputs that are not there yet."""


def wire(entry: StackEntry, current: Mapping[str, str] | None, outputs: Outputs, choose: Choose) -> Wired:
    """The parameters of a stack. `current` holds those that it has, None if it is yet to be created.

    What operations change (roles, switches) is read back and never reset (D1).
    """
    values: dict[str, str] = {}
    unknown: list[FromOutput] = []
    for name, source in entry.parameters.items():
        before = (current or {}).get(name)
        match source:
            case Literal(value):
                values[name] = value
            case Live() if before is not None:
                values[name] = before
            case Live(Literal(value)):
                values[name] = value
            case Chosen():
                values[name] = choose(source, entry.region, before)
            case (FromOutput() as wanted) | Live(initial=FromOutput() as wanted):
                found = outputs.get(wanted.stack, {}).get(wanted.output)
                if found is None:
                    unknown.append(wanted)
                else:
                    values[name] = found
    return Wired(values, tuple(unknown))
