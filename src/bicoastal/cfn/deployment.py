"""A deployment: templates, each in a region with its parameters, wired to each other, as one graph of resources.

A parameter that takes another stack's output leads through to the resource that produces it, so that a subnet of the
network's stack and its use in the service's stack are seen as one thing. Knows nothing of the product: what the graph
should hold is for `review` to say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bicoastal.cfn.physical import NAMING, physical
from bicoastal.cfn.reader import Template
from bicoastal.cfn.resolve import Evaluator
from bicoastal.cfn.values import NO_VALUE, Encoded, Reference, Text, Unknown, Value, references, text_of, unknowns
from bicoastal.core.findings import Finding

if TYPE_CHECKING:
    from bicoastal.cfn.manifest import FromOutput, Manifest, Source

_MAX_WIRES = 40
"""Stacks that a value passes through, each feeding the next."""
Steps = tuple[str | int, ...]


class Resource:
    """A resource of one stack, evaluated when it is first looked at."""

    def __init__(self, stack: Stack, logical_id: str, body: Mapping[str, Any], exists: bool | None) -> None:
        self.stack = stack
        self.logical_id = logical_id
        self.body = body
        self.type: str = body.get("Type") if isinstance(body.get("Type"), str) else ""  # type: ignore[assignment]
        self.exists = exists
        """None where its condition cannot be decided."""

    def __repr__(self) -> str:
        return f"{self.stack.id}/{self.logical_id}"

    @property
    def region(self) -> str:
        """The region of its stack."""
        return self.stack.region

    @property
    def reference(self) -> Reference:
        """What `Ref` gives."""
        return Reference(self.stack.id, self.logical_id)

    @cached_property
    def properties(self) -> dict[str, Value]:
        """Its properties as they will be."""
        value = self.stack.evaluator.value(self.body.get("Properties") or {})
        return value if isinstance(value, dict) else {}

    def get(self, *path: str | int, default: Value = None) -> Value:
        """The property at a path, or `default` where there is none on the way."""
        found: Value = self.properties
        for step in path:
            if isinstance(found, Unknown):
                return found
            if not isinstance(found, dict | list):
                return default
            try:
                found = found[step]  # type: ignore[index]
            except (KeyError, IndexError, TypeError):
                return default
        return found

    def items(self, *path: str | int) -> list[Value]:
        """The list at a path; a single value stands for a list of it, anything absent or unknown for an empty one."""
        found = self.get(*path)
        if found is None or isinstance(found, Unknown):
            return []
        return found if isinstance(found, list) else [found]

    def attribute(self, name: str) -> Value:
        """An attribute beside the properties, such as `DeletionPolicy`."""
        value = self.stack.evaluator.value(self.body.get(name))
        return None if value is NO_VALUE else value

    def line(self, *path: str | int) -> int:
        """The line of a property (of the resource, without a path); 0 where it is not known."""
        origin = self.stack.evaluator.origins[self.logical_id]
        position = self.stack.template.position((*origin, "Properties", *path) if path else origin)
        return position.line if position else 0

    @cached_property
    def unknowns(self) -> tuple[tuple[Steps, Unknown], ...]:
        """What of its properties is not known, and where."""
        return tuple(unknowns(self.properties))

    @cached_property
    def references(self) -> tuple[tuple[Steps, Reference], ...]:
        """What its properties and attributes refer to, and where."""
        found = list(references(self.properties))
        depends = self.body.get("DependsOn") or []
        for item in depends if isinstance(depends, list) else [depends]:
            found.append((("DependsOn",), Reference(self.stack.id, str(item))))
        for name in ("CreationPolicy", "UpdatePolicy"):
            found.extend(references(self.attribute(name), (name,)))
        return tuple(found)


class Stack:
    """A template in a region with parameters."""

    def __init__(self, id_: str, name: str, template: Template, evaluator: Evaluator) -> None:
        self.id = id_
        self.name = name
        self.template = template
        self.evaluator = evaluator
        self.region = evaluator.region
        self.sources: Mapping[str, Source] = {}
        self.protected = False
        self.capabilities: tuple[str, ...] = ()

    @cached_property
    def resources(self) -> dict[str, Resource]:
        """Those that will exist, and those of which that cannot be decided."""
        found = {}
        for logical_id, body in self.evaluator.resources.items():
            if not isinstance(body, Mapping) or logical_id in self.evaluator.absent:
                continue
            held = self.evaluator.condition(body["Condition"]) if "Condition" in body else True
            if held is not False:
                found[logical_id] = Resource(self, logical_id, body, None if isinstance(held, Unknown) else True)
        return found

    @property
    def feeds(self) -> dict[str, FromOutput]:
        """Parameters that another stack's output feeds, for good or at first."""
        from bicoastal.cfn.manifest import FromOutput, Live  # noqa: PLC0415 - plain files have none

        inner = {name: one.initial if isinstance(one, Live) else one for name, one in self.sources.items()}
        return {name: one for name, one in inner.items() if isinstance(one, FromOutput)}

    @cached_property
    def is_added_to(self) -> bool:
        """Whether macros, modules or includes make resources that are not written here."""
        body = self.template.body
        macros = body.get("Transform") not in (None, "AWS::LanguageExtensions", ["AWS::LanguageExtensions"])
        if macros or "Modules" in body or "Fn::Transform" in self.evaluator.resources:
            return True
        return any("::" not in item.type or item.type.endswith("::MODULE") for item in self.resources.values())

    def output(self, name: Value) -> Value:
        """An output's value."""
        body = self.evaluator.outputs.get(name) if isinstance(name, str) else None
        if not isinstance(body, Mapping):
            return Unknown(f"{self.id} has no output {name}")
        if "Condition" in body and self.evaluator.condition(body["Condition"]) is False:
            return Unknown(f"{self.id} has no output {name} here: condition {body['Condition']} does not hold")
        return self.evaluator.value(body.get("Value"))


@dataclass(frozen=True)
class Change:
    """A deployment that differs from what its manifest says: what would be, if."""

    parameters: Mapping[tuple[str, str], str | Source] = field(default_factory=dict)
    """(stack id, parameter) to a value, or to another wire: a promotion is
    `{("database/us-west-2", "DatabaseRole"): "primary"}`."""
    absent: frozenset[tuple[str, str]] = frozenset()
    """(template's file, logical id): as if the resource, and every value that mentions it, had never been written."""
    conditions: Mapping[tuple[str, str], bool] = field(default_factory=dict)
    """(stack id, condition) to whether it holds: how a condition that cannot be decided is explored both ways."""


@dataclass(frozen=True)
class Placed:
    """A template that is deployed to a region, without a manifest of ours."""

    template: Template
    region: str
    name: str = ""
    """The stack's name; the file's, if none is said."""
    parameters: Mapping[str, str] = field(default_factory=dict)


class Deployment:
    """All stacks, and the graph of their resources."""

    def __init__(self, *, home: str = "", standby: str = "", tags: Mapping[str, str] | None = None) -> None:
        self.home = home
        self.standby = standby
        self.tags = dict(tags or {})
        """Stack tags, which CloudFormation puts on everything that takes tags."""
        self.stacks: dict[str, Stack] = {}
        self._wires = 0
        self._inner: dict[str, dict[str, tuple[str, bool]]] = {}
        """Stack to the templates inside it: logical id to the inner stack, and whether that is a module."""
        self._conditions: Mapping[tuple[str, str], bool] = {}
        self.findings: list[Finding] = []
        """What is wrong with the files and their wiring."""

    # How one comes to be.

    @classmethod
    def of(cls, manifest: Manifest, templates: Mapping[str, Template], change: Change | None = None) -> Deployment:
        """The stacks of a manifest; `templates` by the file that the manifest names."""
        change = change or Change()
        regions = {role: region for region, role in manifest.regions.items()}
        deployment = cls(home=regions.get("home", ""), standby=regions.get("standby", ""), tags=manifest.tags)
        deployment._conditions = change.conditions
        changed = dict(change.parameters)
        for entry in manifest.stacks:
            template = templates.get(entry.template)
            if template is None:
                continue
            values: dict[str, Callable[[], Value]] = {
                name: deployment._fed(changed.get((entry.id, name), source))
                for name, source in entry.parameters.items()
            }
            absent = frozenset(name for file, name in change.absent if file == entry.template)
            stack = deployment._add(entry.id, entry.name, template, entry.region, values=values, absent=absent)
            stack.sources, stack.protected, stack.capabilities = entry.parameters, entry.protected, entry.capabilities
        return deployment

    @classmethod
    def of_files(cls, templates: Iterable[tuple[Template, str]]) -> Deployment:
        """Templates with a region each and no manifest: parameters have their defaults, exports are found by name."""
        return cls.of_placed([Placed(template, region) for template, region in templates])

    @classmethod
    def of_placed(cls, placed: Iterable[Placed], change: Change | None = None) -> Deployment:
        """The same, with names and parameters where somebody gave them."""
        change = change or Change()
        deployment = cls()
        deployment._conditions = change.conditions
        for one in placed:
            name = one.name or Path(one.template.file).stem
            id_, number = f"{name}/{one.region}", 2
            while id_ in deployment.stacks:
                id_, number = f"{name}-{number}/{one.region}", number + 1
            absent = frozenset(item for file, item in change.absent if file == one.template.file)
            values = {key: deployment._fed(value) for key, value in one.parameters.items()}
            deployment._add(id_, name, one.template, one.region, values=values, absent=absent)
        regions = list(dict.fromkeys(stack.region for stack in deployment.stacks.values()))
        deployment.home = regions[0] if regions else ""
        deployment.standby = regions[1] if len(regions) > 1 else ""
        return deployment

    def add_inner(
        self,
        outer: Stack,
        logical_id: str,
        template: Template,
        values: Mapping[str, Callable[[], Value]],
        *,
        module: bool,
    ) -> Stack:
        """Put a template into a stack: a nested stack, or a module, whose resources bear its name before theirs."""
        kind, _, region = outer.id.rpartition("/")
        id_ = f"{kind}.{logical_id}/{region}"
        self._inner.setdefault(outer.id, {})[logical_id] = (id_, module)
        name = outer.name if module else ""
        return self._add(id_, name, template, outer.region, values=values, absent=outer.evaluator.absent)

    def _add(
        self,
        id_: str,
        name: str,
        template: Template,
        region: str,
        *,
        values: Mapping[str, Callable[[], Value]],
        absent: frozenset[str],
    ) -> Stack:
        evaluator = Evaluator(
            template,
            stack=id_,
            stack_name=name,
            region=region,
            parameters=values,
            surroundings=self,
            absent=absent,
            assumed={name: held for (owner, name), held in self._conditions.items() if owner == id_},
        )
        self.stacks[id_] = stack = Stack(id_, name, template, evaluator)
        return stack

    def _fed(self, source: Source | str) -> Callable[[], Value]:
        if isinstance(source, str):
            return lambda: source
        from bicoastal.cfn.manifest import Chosen, FromOutput, Literal, Live  # noqa: PLC0415 - plain files have none

        match source:
            case Literal(value) | Live(Literal(value)) | Chosen(_, value):
                return lambda: value
            case FromOutput(stack, output) | Live(FromOutput(stack, output)):
                return lambda: self._output(stack, output)
        raise TypeError(source)

    def _output(self, stack: str, output: str) -> Value:
        if stack not in self.stacks:
            return Unknown(f"there is no stack {stack}")
        if self._wires > _MAX_WIRES:
            return Unknown(f"{stack} is fed through too many stacks")
        self._wires += 1
        try:
            return self.stacks[stack].output(output)
        finally:
            self._wires -= 1

    # What stacks ask of each other (`resolve.Surroundings`).

    def export(self, name: Value, region: str) -> Value:
        """The value exported under a name in a region."""
        for stack in self.stacks.values():
            if stack.region != region:
                continue
            for key, body in stack.evaluator.outputs.items():
                export = body.get("Export") if isinstance(body, Mapping) else None
                if isinstance(export, Mapping) and stack.evaluator.value(export.get("Name")) == name:
                    return stack.output(key)
        return Unknown(f"nothing here exports {name} in {region}")

    def stack_output(self, stack_name: Value, output: Value, region: str) -> Value:
        """Another stack's output, by the stack's name in CloudFormation."""
        for stack in self.stacks.values():
            if stack.region == region and stack.name == stack_name:
                return stack.output(output)
        return Unknown(f"no stack {stack_name} in {region} is here to give {output}")

    def nested(self, stack: str, name: str, attribute: str) -> Value:
        """What a nested stack's output, or a resource of a module, turns out to be; None where `name` is neither."""
        inner = self._inner.get(stack)
        if inner is None:
            return None
        head, _, rest = name.partition(".")
        if head not in inner:
            # A module's resource may be named without the dot: `NetworkVpc` for `Vpc` of the module `Network`.
            return next(
                (
                    Reference(id_, name.removeprefix(prefix), attribute)
                    for prefix, (id_, module) in inner.items()
                    if module and name.removeprefix(prefix) in self.stacks[id_].evaluator.resources
                ),
                None,
            )
        id_, module = inner[head]
        if not module:
            return self._output(id_, attribute.removeprefix("Outputs.")) if attribute.startswith("Outputs.") else None
        wanted, _, attribute = rest.partition(".") if rest and not attribute else (rest, "", attribute)
        if not wanted:
            wanted, _, attribute = attribute.partition(".")
        if wanted in self.stacks[id_].evaluator.resources:
            return Reference(id_, wanted, attribute)
        return self._output(id_, wanted)

    # The graph.

    @cached_property
    def regions(self) -> tuple[str, ...]:
        """Every region that a stack stands in, home first."""
        found = dict.fromkeys(stack.region for stack in self.stacks.values())
        return tuple(sorted(found, key=lambda region: (region != self.home, region != self.standby, region)))

    @cached_property
    def resources(self) -> tuple[Resource, ...]:
        """Every resource of every stack."""
        return tuple(item for stack in self.stacks.values() for item in stack.resources.values())

    @cached_property
    def _by_type(self) -> dict[str, list[Resource]]:
        found: dict[str, list[Resource]] = {}
        for item in self.resources:
            found.setdefault(item.type, []).append(item)
        return found

    def of_type(self, *types: str, region: str = "") -> list[Resource]:
        """Resources of the types, in a region if one is named."""
        return [item for name in types for item in self._by_type.get(name, ()) if not region or item.region == region]

    def resource(self, value: Value) -> Resource | None:
        """The resource that a value leads to: by reference, by a text around one, or by its name or ARN."""
        if isinstance(value, Reference):
            stack = self.stacks.get(value.stack)
            return stack.resources.get(value.resource) if stack else None
        if isinstance(value, str | Text):
            spelled = self.spelled(value)
            found = self._by_name.get(spelled)
            if found is not None:
                return found
            if isinstance(value, Text):
                targets = {part for part in value.parts if isinstance(part, Reference) and part.stack}
                if len(targets) == 1:
                    return self.resource(targets.pop())
        return None

    def mentioned(self, value: Value) -> list[Resource]:
        """Every resource that a value refers to anywhere inside, each once."""
        found: dict[int, Resource] = {}
        for _, reference in references(value):
            item = self.resource(reference)
            if item is not None:
                found[id(item)] = item
        if isinstance(value, str) and (item := self.resource(value)) is not None:
            found[id(item)] = item
        return list(found.values())

    def leads_to(self, value: Value, target: Resource) -> bool:
        """Whether a value refers to a resource."""
        return any(item is target for item in self.mentioned(value)) or self.resource(value) is target

    @cached_property
    def referrers(self) -> dict[tuple[str, str], list[tuple[Resource, Steps, str]]]:
        """(stack, logical id) to who refers to it: the resource, the path there, and the attribute taken."""
        found: dict[tuple[str, str], list[tuple[Resource, Steps, str]]] = {}
        for item in self.resources:
            for path, reference in item.references:
                found.setdefault((reference.stack, reference.resource), []).append((item, path, reference.attribute))
        return found

    def referring(self, target: Resource, *types: str) -> list[Resource]:
        """Resources (of the types) that refer to a resource, each once."""
        found = {
            id(item): item
            for item, _, _ in self.referrers.get((target.stack.id, target.logical_id), ())
            if not types or item.type in types
        }
        return list(found.values())

    def name(self, resource: Resource) -> Value:
        """The physical name that a template gives, or None where AWS makes one up."""
        naming = NAMING.get(resource.type)
        return resource.get(naming.property) if naming else None

    def spelled(self, value: Value) -> str:
        """A value as one text, names and ARNs of named resources written out: equal texts are the same thing."""
        if isinstance(value, str):
            return value
        if isinstance(value, Text):
            return "".join(self.spelled(part) for part in value.parts)
        if isinstance(value, Encoded):
            return self.spelled(value.text)
        if isinstance(value, Reference) and value.stack:
            stack = self.stacks.get(value.stack)
            target = stack.resources.get(value.resource) if stack else None
            if target is not None:
                name = self.name(target)
                if name is not None and not isinstance(name, Unknown):
                    concrete = physical(target.type, value.attribute, text_of([name]), target.region)
                    if concrete is not None and concrete != value:
                        return self.spelled(concrete)
        return str(value)

    @cached_property
    def _by_name(self) -> dict[str, Resource]:
        """Names and ARNs of what is declared here; a name that two resources bear is left out."""
        found: dict[str, Resource | None] = {}
        for item in self.resources:
            if item.type not in NAMING or self.name(item) is None:
                continue
            for attribute in ("", "Arn"):
                spelled = self.spelled(Reference(item.stack.id, item.logical_id, attribute))
                if not spelled.startswith("${"):
                    found[spelled] = item if spelled not in found or found[spelled] is item else None
        return {name: item for name, item in found.items() if item is not None}

    def named(self, name: Value, type_: str, region: str) -> Resource | None:
        """The resource of a type with a physical name in a region."""
        spelled = self.spelled(name)
        for item in self.of_type(type_, region=region):
            own = self.name(item)
            if own is not None and self.spelled(own) == spelled:
                return item
        return None
