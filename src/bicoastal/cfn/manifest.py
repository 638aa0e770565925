"""Which template is deployed where, with which parameters, and what feeds what: the stack graph as data.

`synth` writes it, `deploy` walks it, `review` reads it. It is plain JSON beside the templates, so that another tool can
do so too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class FromOutput:
    """A parameter that takes another stack's output."""

    stack: str
    """The entry's id, such as `network/us-west-2`."""
    output: str


@dataclass(frozen=True)
class Literal:
    """A parameter whose value is known when the templates are written."""

    value: str


@dataclass(frozen=True)
class Live:
    """A parameter that operations change (a role, a switch): set when the stack is created, then read back and kept."""

    initial: FromOutput | Literal


@dataclass(frozen=True)
class Chosen:
    """A parameter that is chosen from what the account offers when the stack is created, and kept from then on."""

    chooser: str
    """What chooses: `zones-offering:t3.micro`, `artifact:kit`, `artifact:app`."""
    default: str


Source = FromOutput | Literal | Live | Chosen


@dataclass(frozen=True)
class Watch:
    """An alarm of the stack that takes a change back, made by CloudFormation itself, for a while after it was done."""

    alarm: str
    """Logical id of the alarm."""
    resources: tuple[str, ...]
    """Logical ids: a change of one of them is watched, and no other."""
    minutes: int


@dataclass(frozen=True)
class StackEntry:
    """One stack: a template in a region."""

    id: str
    """`<kind>/<region>`."""
    name: str
    """The stack's name in CloudFormation."""
    template: str
    """The template's file, relative to the manifest."""
    region: str
    parameters: Mapping[str, Source] = field(default_factory=dict)
    capabilities: tuple[str, ...] = ()
    protected: bool = False
    """Holds state: termination protection is on, and a replacement is refused unless it is allowed by name."""
    watch: Watch | None = None

    @property
    def needs(self) -> tuple[str, ...]:
        """Ids of the stacks whose outputs this one takes, each once, sorted."""
        found = set()
        for source in self.parameters.values():
            inner = source.initial if isinstance(source, Live) else source
            if isinstance(inner, FromOutput):
                found.add(inner.stack)
        return tuple(sorted(found))


@dataclass(frozen=True)
class Manifest:
    """All stacks of a deployment, in an order in which each comes after what it needs."""

    application: str
    environment: str
    regions: Mapping[str, str]
    """Region to role (`home`, `standby`)."""
    tags: Mapping[str, str]
    """Stack tags: CloudFormation puts them on everything that takes tags."""
    stacks: tuple[StackEntry, ...]

    def to_json(self) -> str:
        """The manifest's file, byte-identical for the same deployment."""
        return (
            json.dumps(
                {
                    "version": 1,
                    "application": self.application,
                    "environment": self.environment,
                    "regions": dict(self.regions),
                    "tags": dict(self.tags),
                    "stacks": [_entry_to_data(entry) for entry in self.stacks],
                },
                indent=2,
                ensure_ascii=False,
            )
            + "\n"
        )

    @classmethod
    def from_json(cls, text: str) -> Manifest:
        """Read what `to_json` wrote. Raises KeyError, TypeError or ValueError for anything else."""
        data = json.loads(text)
        if data["version"] != 1:
            raise ValueError(f"manifest version {data['version']} is not 1")
        return cls(
            application=data["application"],
            environment=data["environment"],
            regions=data["regions"],
            tags=data["tags"],
            stacks=tuple(_entry_from_data(item) for item in data["stacks"]),
        )


def _entry_to_data(entry: StackEntry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "name": entry.name,
        "template": entry.template,
        "region": entry.region,
        "needs": list(entry.needs),
        "protected": entry.protected,
        "capabilities": list(entry.capabilities),
        **({"watch": _watch_to_data(entry.watch)} if entry.watch is not None else {}),
        "parameters": {name: _source_to_data(source) for name, source in entry.parameters.items()},
    }


def _watch_to_data(watch: Watch) -> dict[str, Any]:
    return {"alarm": watch.alarm, "resources": list(watch.resources), "minutes": watch.minutes}


def _entry_from_data(data: Mapping[str, Any]) -> StackEntry:
    return StackEntry(
        id=data["id"],
        name=data["name"],
        template=data["template"],
        region=data["region"],
        protected=data["protected"],
        capabilities=tuple(data["capabilities"]),
        watch=_watch_from_data(data["watch"]) if "watch" in data else None,
        parameters={name: _source_from_data(item) for name, item in data["parameters"].items()},
    )


def _watch_from_data(data: Mapping[str, Any]) -> Watch:
    return Watch(data["alarm"], tuple(data["resources"]), int(data["minutes"]))


def _source_to_data(source: Source) -> dict[str, Any]:
    match source:
        case FromOutput(stack, output):
            return {"stack": stack, "output": output}
        case Literal(value):
            return {"value": value}
        case Live(initial):
            return {"live": _source_to_data(initial)}
        case Chosen(chooser, default):
            return {"chooser": chooser, "value": default}


def _source_from_data(data: Mapping[str, Any]) -> Source:
    if "live" in data:
        initial = _source_from_data(data["live"])
        if not isinstance(initial, FromOutput | Literal):
            raise TypeError("a live parameter starts from a value or an output")
        return Live(initial)
    if "chooser" in data:
        return Chosen(data["chooser"], data["value"])
    if "stack" in data:
        return FromOutput(data["stack"], data["output"])
    return Literal(data["value"])
