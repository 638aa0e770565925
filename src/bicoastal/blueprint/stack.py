"""One kind of stack: a template, where it is deployed, and what feeds its parameters in each region.

A concern builds a `Stack` and returns its `Output`s; another concern asks for one with `stack.input(output)`, which
declares the parameter and records the wire, so that no name is written twice and no template mentions the other region
by value.
The same template is deployed to every region of the stack: only parameters differ (design D1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bicoastal.blueprint.tags import TAG_PROPERTIES, tag_list
from bicoastal.cfn.emit import to_yaml
from bicoastal.cfn.intrinsics import Commented, Value, att, ref
from bicoastal.cfn.manifest import Chosen, FromOutput, Literal, Live, Source, Watch
from bicoastal.spec.model import Spec


class Where(StrEnum):
    """Which region's stack an input comes from, as seen from the stack that takes it."""

    HERE = ""
    OTHER = "Other"
    HOME = "Home"
    STANDBY = "Standby"


class DataClass(StrEnum):
    """What a resource holds; the value of the tag `data-class`."""

    NONE = "none"
    OPERATIONAL = "operational"
    """Logs, metrics, trails, artifacts."""
    CUSTOMER = "customer"
    """Rows of the application's database, and copies of them."""
    CREDENTIALS = "credentials"


@dataclass(frozen=True)
class Output:
    """A stack's output that others may take; `type` is the type of the parameter that takes it."""

    kind: str
    name: str
    type: str
    description: str
    regions: tuple[str, ...]


@dataclass(frozen=True)
class Resource:
    """A resource of a template, to be referred to inside it."""

    logical_id: str

    @property
    def ref(self) -> Value:
        """Its physical id."""
        return ref(self.logical_id)

    def att(self, attribute: str) -> Value:
        """One of its attributes, such as `Arn`."""
        return att(self.logical_id, attribute)


class Stack:
    """Collects parameters, conditions, resources and outputs in the order in which they are added."""

    def __init__(
        self, spec: Spec, kind: str, description: str, *, regions: Sequence[str] | None = None, protected: bool = False
    ) -> None:
        """`protected`: holds state, so that termination protection is on and replacements need permission by name."""
        self.spec = spec
        self.kind = kind
        self.description = description
        self.regions = tuple(regions if regions is not None else (spec.home, spec.standby))
        self.protected = protected
        self.watch: Watch | None = None
        """The alarm that takes a change of this stack back."""
        self.sources: dict[str, dict[str, Source]] = {region: {} for region in self.regions}
        self._wired: dict[str, Output] = {}
        self._parameters: dict[str, Value] = {}
        self._conditions: dict[str, Value] = {}
        self._resources: dict[str, Value] = {}
        self._outputs: dict[str, Value] = {}

    # What differs between regions or comes from elsewhere.

    def input(self, output: Output, where: Where = Where.HERE, *, name: str | None = None) -> Value:
        """Take another stack's output as a parameter; asking twice gives the same one.

        `where` OTHER is the other region's stack of that kind. An output of a kind that stands in one region
        only is taken from there.
        """
        parameter = name or f"{where.value}{output.name}"
        known = self._wired.get(parameter)
        if known is not None and known != output:
            raise ValueError(f"{self.kind}: parameter {parameter} already takes {known.kind}.{known.name}; give a name")
        self._wired[parameter] = output
        wires = {region: self.wire(output, where, region) for region in self.regions}
        if parameter not in self._parameters:
            crosses = any(not wire.stack.endswith(f"/{region}") for region, wire in wires.items())
            self._parameters[parameter] = {
                "Type": _type_across_regions(output.type) if crosses else output.type,
                "Description": output.description + _OF.get(where, ""),
            }
        for region, wire in wires.items():
            self.sources[region][parameter] = wire
        return ref(parameter)

    def setting(
        self,
        name: str,
        values: str | Mapping[str, str],
        description: str,
        *,
        type_: str = "String",
        **constraints: Value,
    ) -> Value:
        """A parameter whose value in each region is known when the templates are written."""
        self._declare(name, type_, description, constraints)
        for region in self.regions:
            self.sources[region][name] = Literal(values if isinstance(values, str) else values[region])
        return ref(name)

    def live(
        self,
        name: str,
        initial: Mapping[str, str | FromOutput],
        description: str,
        *,
        type_: str = "String",
        **constraints: Value,
    ) -> Value:
        """A parameter that operations change: given when the stack is created, read back and kept from then on (D1)."""
        self._declare(name, type_, description, constraints)
        for region in self.regions:
            value = initial[region]
            self.sources[region][name] = Live(value if isinstance(value, FromOutput) else Literal(value))
        return ref(name)

    def chosen(
        self,
        name: str,
        chooser: str,
        defaults: str | Mapping[str, str],
        description: str,
        *,
        type_: str = "String",
        **constraints: Value,
    ) -> Value:
        """A parameter that `deploy` chooses: what the account offers (zones), or what was uploaded (artifacts)."""
        self._declare(name, type_, description, constraints)
        for region in self.regions:
            default = defaults if isinstance(defaults, str) else defaults[region]
            self.sources[region][name] = Chosen(chooser, default)
        return ref(name)

    def wire(self, output: Output, where: Where, region: str) -> FromOutput:
        """The stack and output that feed an input of this stack in a region."""
        if len(output.regions) == 1:
            source = output.regions[0]
        else:
            other = self.spec.standby if region == self.spec.home else self.spec.home
            source = {
                Where.HERE: region,
                Where.OTHER: other,
                Where.HOME: self.spec.home,
                Where.STANDBY: self.spec.standby,
            }[where]
        return FromOutput(f"{output.kind}/{source}", output.name)

    def condition(self, name: str, expression: Value) -> str:
        """Declare a condition; returns its name, for `condition=` and `if_`."""
        if name in self._conditions:
            raise ValueError(f"{self.kind}: condition {name} is declared twice")
        self._conditions[name] = expression
        return name

    # What it builds.

    def add(
        self,
        logical_id: str,
        type_: str,
        properties: Mapping[str, Value],
        *,
        comment: str = "",
        condition: str | None = None,
        depends_on: Sequence[str | Resource] = (),
        data_class: DataClass = DataClass.NONE,
        retain: bool = False,
        accept: Mapping[str, str] | None = None,
        **attributes: Value,
    ) -> Resource:
        """Add a resource, tagged if its type takes tags (unless `properties` carries its own).

        `retain` keeps it when its stack goes or replaces it, but not when the creation of the stack itself fails: what
        was left would hold the name against the next try. `accept` maps a rule id to the reason why its finding is
        accepted here. `attributes` are further resource attributes (UpdatePolicy, ...).
        """
        if logical_id in self._resources:
            raise ValueError(f"{self.kind}: resource {logical_id} is declared twice")
        resource: dict[str, Any] = {"Type": type_}
        if condition:
            resource["Condition"] = condition
        if depends_on:
            resource["DependsOn"] = [item.logical_id if isinstance(item, Resource) else item for item in depends_on]
        if retain:
            resource["DeletionPolicy"] = "RetainExceptOnCreate"
            resource["UpdateReplacePolicy"] = "Retain"
        resource.update(attributes)
        if accept:
            resource["Metadata"] = {**attributes.get("Metadata", {}), **_accepted(accept)}
        tagged = {name: value for name, value in properties.items() if value is not None}
        shape = TAG_PROPERTIES.get(type_)
        if shape and shape.property not in tagged:
            tagged[shape.property] = shape.render(
                self.spec, data_class.value, f"{self.spec.prefix}-{_kebab(logical_id)}"
            )
        resource["Properties"] = tagged
        self._resources[logical_id] = Commented(resource, comment) if comment else resource
        return Resource(logical_id)

    def output(
        self, name: str, value: Value, description: str, *, type_: str = "String", condition: str | None = None
    ) -> Output:
        """Declare an output; `type_` is the parameter type that takes it, such as `AWS::EC2::VPC::Id`."""
        if name in self._outputs:
            raise ValueError(f"{self.kind}: output {name} is declared twice")
        body: dict[str, Value] = {"Description": description, "Value": value}
        if condition:
            body["Condition"] = condition
        self._outputs[name] = body
        return Output(self.kind, name, type_, description, self.regions)

    def tags(self, data_class: DataClass = DataClass.NONE, name: str = "") -> list[Value]:
        """The tags of everything as Key and Value, for places that `add` does not reach (tag specifications)."""
        return tag_list(self.spec, data_class.value, name)

    # What is written.

    @property
    def document(self) -> dict[str, Value]:
        """The template as CloudFormation has it, comments included."""
        sections = {
            "Parameters": self._parameters,
            "Conditions": self._conditions,
            "Resources": self._resources,
            "Outputs": self._outputs,
        }
        return {
            "AWSTemplateFormatVersion": "2010-09-09",
            "Description": self.description,
            **{name: section for name, section in sections.items() if section},
        }

    @property
    def resource_types(self) -> dict[str, str]:
        """Logical id to type."""
        return {
            name: (item.value if isinstance(item, Commented) else item)["Type"]
            for name, item in self._resources.items()
        }

    @property
    def capabilities(self) -> tuple[str, ...]:
        """What CloudFormation wants acknowledged before it creates this stack."""
        named = any(kind.startswith("AWS::IAM::") for kind in self.resource_types.values())
        return ("CAPABILITY_NAMED_IAM",) if named else ()

    def to_yaml(self) -> str:
        """The template's file."""
        where = " and ".join(self.regions)
        return to_yaml(
            self.document,
            header=f"{self.spec.prefix}: {self.kind}, deployed to {where}.\n"
            "Written by `bicoastal synth` from bicoastal.yaml: edit that file, not this one.",
        )

    def _declare(self, name: str, type_: str, description: str, constraints: Mapping[str, Value]) -> None:
        if name in self._parameters:
            raise ValueError(f"{self.kind}: parameter {name} is declared twice")
        self._parameters[name] = {"Type": type_, "Description": description, **constraints}


_OF = {
    Where.OTHER: " (of the other region)",
    Where.HOME: " (of the home region)",
    Where.STANDBY: " (of the standby region)",
}


def _type_across_regions(type_: str) -> str:
    """CloudFormation looks typed ids up in the stack's own region: one from another region would not be found there."""
    if "AWS::EC2::" not in type_:
        return type_
    return "CommaDelimitedList" if type_.startswith("List<") else "String"


def _accepted(reasons: Mapping[str, str]) -> dict[str, Any]:
    """Suppressions in the form that each checker reads, the reason beside each."""
    checkov = [{"id": rule, "comment": reason} for rule, reason in reasons.items() if rule.startswith("CKV")]
    lint = [Commented(rule, reason) for rule, reason in reasons.items() if not rule.startswith("CKV")]
    metadata: dict[str, Any] = {}
    if checkov:
        metadata["checkov"] = {"skip": checkov}
    if lint:
        metadata["cfn-lint"] = {"config": {"ignore_checks": lint}}
    return metadata


def _kebab(logical_id: str) -> str:
    words = "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in logical_id)
    return words.lstrip("-")
