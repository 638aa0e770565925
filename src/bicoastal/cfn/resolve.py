"""Evaluates a template in a region with parameters: what each property will be, as far as the templates tell.

Conditions have three values: where one cannot be decided, an `Fn::If` becomes unknown with both branches as options,
and a resource's existence is None. Evaluation has no side effects and never raises for what a template says; nonsense
becomes `Unknown` with the reason. Other stacks are reached through `Surroundings` alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Protocol

from bicoastal.cfn import functions
from bicoastal.cfn.foreach import expanded
from bicoastal.cfn.reader import Template
from bicoastal.cfn.values import ACCOUNT, NO_VALUE, Reference, Unknown, Value, text_of

_HOLE = re.compile(r"\$\{(!?)([^{}]*)\}")
_LISTS = (
    "List<",
    "CommaDelimitedList",
    "AWS::SSM::Parameter::Value<List<",
    "AWS::SSM::Parameter::Value<CommaDelimitedList",
)
_MAX_DEPTH = 200
_MAX_CHAIN = 100
"""Conditions that lean on each other, one on the next."""


class Surroundings(Protocol):
    """What a stack can ask of the deployment that it stands in."""

    def export(self, name: Value, region: str) -> Value:
        """The value exported under a name in a region."""

    def stack_output(self, stack_name: Value, output: Value, region: str) -> Value:
        """Another stack's output."""

    def nested(self, stack: str, name: str, attribute: str) -> Value:
        """What a resource that is a template of its own gives; None where that template is not here."""


class Alone:
    """Surroundings of a template that is looked at by itself."""

    def export(self, name: Value, region: str) -> Value:
        """Unknown."""
        return Unknown(f"nothing here exports {name} in {region}")

    def stack_output(self, stack_name: Value, output: Value, region: str) -> Value:
        """Unknown."""
        return Unknown(f"no stack {stack_name} in {region} is here to give {output}")

    def nested(self, stack: str, name: str, attribute: str) -> Value:  # noqa: ARG002 - nobody stands around
        """None."""
        return None


class Evaluator:
    """One template in one region."""

    def __init__(
        self,
        template: Template,
        *,
        stack: str,
        stack_name: str,
        region: str,
        parameters: Mapping[str, Callable[[], Value]] | None = None,
        surroundings: Surroundings | None = None,
        absent: frozenset[str] = frozenset(),
        assumed: Mapping[str, bool] | None = None,
    ) -> None:
        """`stack` names this stack in references. `parameters`: values given, asked for when first needed.

        `absent`: logical ids to treat as if they, and every value that mentions them, had never been written.
        `assumed`: conditions that hold, or don't, whatever they say: how one that is undecided is explored both ways.
        """
        self.template = template
        self.stack = stack
        self._stack_name = stack_name
        self.region = region
        self.absent = absent
        self.surroundings: Surroundings = surroundings or Alone()
        self._given = parameters or {}
        self._parameters: dict[str, Value] = {}
        self._assumed = dict(assumed or {})
        self._conditions: dict[str, bool | Unknown] = dict(self._assumed)
        self._pending: set[str] = set()
        self._depth = 0
        self._declared = template.section("Parameters")
        self._mappings = template.section("Mappings")
        partition = "aws-us-gov" if region.startswith("us-gov-") else "aws-cn" if region.startswith("cn-") else "aws"
        self._pseudo: dict[str, Value] = {
            "AWS::Region": region,
            "AWS::AccountId": ACCOUNT,
            "AWS::Partition": partition,
            "AWS::URLSuffix": "amazonaws.com.cn" if partition == "aws-cn" else "amazonaws.com",
            "AWS::StackName": stack_name or Reference(stack, "AWS::StackName"),
            "AWS::StackId": Reference(stack, "AWS::StackId"),
            "AWS::NotificationARNs": [],
            "AWS::NoValue": NO_VALUE,
        }
        self.conditions: dict[str, Any] = {}  # loops over conditions may ask for conditions
        self.conditions, _ = expanded(template.section("Conditions"), "Conditions", self.value)
        self.resources, self.origins = expanded(template.section("Resources"), "Resources", self.value)
        self.outputs, self.output_origins = expanded(template.section("Outputs"), "Outputs", self.value)

    def with_parameter(self, name: str, value: Value) -> Evaluator:
        """The same template, if a parameter had another value."""
        return Evaluator(
            self.template,
            stack=self.stack,
            stack_name=self._stack_name,
            region=self.region,
            parameters={**self._given, name: lambda: value},
            surroundings=self.surroundings,
            absent=self.absent,
            assumed=self._assumed,
        )

    def value(self, node: Any) -> Value:
        """Evaluate any part of the template."""
        if isinstance(node, str) or node is None:
            return node
        if self._depth > _MAX_DEPTH:
            return Unknown("functions are nested too deeply")
        self._depth += 1
        try:
            if isinstance(node, dict):
                if len(node) == 1:
                    key = next(iter(node))
                    function = _FUNCTIONS.get(key)
                    if function is not None:
                        return function(self, node[key])
                return self._mapping(node)
            if isinstance(node, list):
                values = [self.value(item) for item in node]
                return [item for item in values if item is not NO_VALUE]
            return node
        finally:
            self._depth -= 1

    def parameter(self, name: str) -> Value:
        """A parameter's value: what is given, else its default, else unknown."""
        if name in self._parameters:
            return self._parameters[name]
        if name in self._pending:
            return Unknown(f"parameter {name} depends on itself")
        declared = self._declared.get(name)
        declared = declared if isinstance(declared, Mapping) else {}
        self._pending.add(name)
        try:
            if name in self._given:
                value = self._given[name]()
            elif "Default" in declared:
                value = declared["Default"]
            else:
                value = Unknown(f"parameter {name} has no default, and no value is given")
        finally:
            self._pending.discard(name)
        kind = str(declared.get("Type", "String"))
        if kind.startswith("AWS::SSM::Parameter::Value"):
            value = Reference("", f"AWS::SSM::Parameter/{value}")
        elif kind.startswith(_LISTS):
            value = functions.as_list(value)
        self._parameters[name] = value
        return value

    def condition(self, name: Any) -> bool | Unknown:
        """Whether a named condition holds."""
        if not isinstance(name, str) or name not in self.conditions:
            return Unknown(f"there is no condition {name}")
        if name not in self._conditions:
            if f"?{name}" in self._pending:
                return Unknown(f"condition {name} depends on itself")
            if len(self._pending) > _MAX_CHAIN:
                return Unknown(f"condition {name} leans on too many others")
            self._pending.add(f"?{name}")
            try:
                self._conditions[name] = self.holds(self.conditions[name])
            finally:
                self._pending.discard(f"?{name}")
        return self._conditions[name]

    def holds(self, node: Any) -> bool | Unknown:  # noqa: PLR0911 - one return for each function that there is
        """Whether a condition's expression holds."""
        if isinstance(node, dict) and len(node) == 1:
            key, argument = next(iter(node.items()))
            match key, argument:
                case "Condition", _:
                    return self.condition(argument)
                case "Fn::Equals", [left, right]:
                    return functions.same(self.value(left), self.value(right))
                case "Fn::Not", [inner]:
                    held = self.holds(inner)
                    return held if isinstance(held, Unknown) else not held
                case "Fn::And" | "Fn::Or", list():
                    return _combined([self.holds(item) for item in argument], stop=key == "Fn::Or")
                case "Fn::Contains", [values, wanted]:
                    return self._contains(self.value(values), self.value(wanted))
        value = self.value(node)
        if value in (True, "true"):
            return True
        if value in (False, "false"):
            return False
        return value if isinstance(value, Unknown) else Unknown("this is not a condition")

    # One method for each function that needs the template; the others are in `functions`.

    def _mapping(self, node: dict[str, Any]) -> Value:
        result = {}
        for key, item in node.items():
            if key.startswith("Fn::ForEach::"):
                more, _ = expanded({key: item}, "", self.value)
                result.update({name: self.value(inner) for name, inner in more.items()})
                continue
            value = item if isinstance(item, str) else self.value(item)
            if value is not NO_VALUE:
                result[key] = value
        return result

    def _ref(self, name: Any) -> Value:
        if not isinstance(name, str):
            return Unknown("Ref takes a name")
        if name in self._pseudo:
            return self._pseudo[name]
        if name in self._declared:
            return self.parameter(name)
        return self._resource(name, "")

    def _resource(self, name: str, attribute: str) -> Value:
        if name in self.absent:
            return NO_VALUE
        inner = self.surroundings.nested(self.stack, name, attribute)
        if inner is not None:
            return inner
        if name not in self.resources:
            return Unknown(f"nothing here is called {name}")
        body = self.resources[name]
        needed = body.get("Condition") if isinstance(body, Mapping) else None
        if needed is not None and self.condition(needed) is False:
            return Unknown(f"{name} does not exist here: condition {needed} does not hold")
        if attribute == "CidrBlock" and isinstance(body, Mapping) and isinstance(body.get("Properties"), Mapping):
            # An attribute that repeats a property: what is cut out of it with Fn::Cidr is known too.
            value = self.value(body["Properties"].get("CidrBlock"))
            if isinstance(value, str):
                return value
        return Reference(self.stack, name, attribute)

    def _get_att(self, argument: Any) -> Value:
        if isinstance(argument, str):
            argument = argument.split(".", 1)
        if not (isinstance(argument, list) and len(argument) >= 2 and isinstance(argument[0], str)):
            return Unknown("Fn::GetAtt takes a resource and an attribute")
        attribute = text_of([self.value(argument[1]), *(f".{item}" for item in argument[2:])])
        if not isinstance(attribute, str):
            return Unknown("the attribute that Fn::GetAtt names is not known")
        return self._resource(argument[0], attribute)

    def _sub(self, argument: Any) -> Value:
        text, variables = argument, {}
        if isinstance(argument, list) and len(argument) == 2 and isinstance(argument[1], dict):
            text, variables = argument
        if not isinstance(text, str):
            return Unknown("Fn::Sub takes a text")
        parts: list[Value] = []
        end = 0
        for hole in _HOLE.finditer(text):
            parts.append(text[end : hole.start()])
            end = hole.end()
            name = hole[2].strip()
            if hole[1]:
                value: Value = f"${{{hole[2]}}}"
            elif name in variables:
                value = self.value(variables[name])
            elif "." in name and name.partition(".")[0] not in self._declared:
                value = self._get_att(name)
            else:
                value = self._ref(name)
            if value is NO_VALUE:
                return NO_VALUE
            parts.append(functions.join(",", value) if isinstance(value, list) else value)
        parts.append(text[end:])
        return text_of(parts)

    def _if(self, argument: Any) -> Value:
        if not (isinstance(argument, list) and len(argument) == 3):
            return Unknown("Fn::If takes a condition and two values")
        held = self.condition(argument[0]) if isinstance(argument[0], str) else self.holds(argument[0])
        if isinstance(held, Unknown):
            return Unknown(
                f"condition {argument[0]} cannot be decided: {held.reason}",
                tuple(self.value(item) for item in argument[1:]),
            )
        return self.value(argument[1 if held else 2])

    def _find_in_map(self, argument: Any) -> Value:
        if not (isinstance(argument, list) and len(argument) in (3, 4)):
            return Unknown("Fn::FindInMap takes a map and two keys")
        return self._found_in_map([self.value(item) for item in argument[:3]], argument)

    def _found_in_map(self, keys: list[Value], argument: list[Any]) -> Value:
        found: Any = self._mappings
        for index, key in enumerate(keys):
            if isinstance(key, Unknown):
                return functions.of_each(key, partial(self._with_key, keys, index, argument))
            found = found.get(key if isinstance(key, str) else str(key)) if isinstance(found, Mapping) else None
            if found is None:
                if len(argument) == 4 and isinstance(argument[3], dict) and "DefaultValue" in argument[3]:
                    return self.value(argument[3]["DefaultValue"])
                return Unknown(f"the mapping {keys[0]} has nothing at {keys[1]}, {keys[2]}")
        return self.value(found)

    def _with_key(self, keys: list[Value], index: int, argument: list[Any], key: Value) -> Value:
        return self._found_in_map([*keys[:index], key, *keys[index + 1 :]], argument)

    def _stack_output(self, argument: Any) -> Value:
        if not isinstance(argument, dict):
            return Unknown("Fn::GetStackOutput takes StackName and OutputName")
        region = self.value(argument.get("Region", self.region))
        if not isinstance(region, str):
            return Unknown("the region of Fn::GetStackOutput is not known")
        name, output = (self.value(argument.get(key)) for key in ("StackName", "OutputName"))
        return self.surroundings.stack_output(name, output, region)

    def _zones(self, argument: Any) -> Value:
        region = self.value(argument) or self.region
        return functions.zones(region) if isinstance(region, str) else Unknown("the region of Fn::GetAZs is not known")

    def _cidr(self, argument: Any) -> Value:
        if not (isinstance(argument, list) and len(argument) in (2, 3)):
            return Unknown("Fn::Cidr takes a block, a count and a number of host bits")
        block, count, *bits = (self.value(item) for item in argument)
        return functions.cidr(block, count, bits[0] if bits else None)

    def _pair(self, function: Callable[[Value, Value], Value], argument: Any) -> Value:
        if not (isinstance(argument, list) and len(argument) == 2):
            return Unknown("this function takes a list of two")
        left, right = self.value(argument[0]), self.value(argument[1])
        return NO_VALUE if right is NO_VALUE else function(left, right)

    def _logical(self, key: str, argument: Any) -> Value:
        return self.holds({key: argument})

    def _contains(self, values: Value, wanted: Value) -> bool | Unknown:
        if not isinstance(values, list):
            return Unknown("Fn::Contains is given something that is not a list")
        return _combined([functions.same(item, wanted) for item in values], stop=True)


def _combined(values: list[bool | Unknown], *, stop: bool) -> bool | Unknown:
    """`Or` (stop at True) or `And` (stop at False) of three-valued truths."""
    if any(value is stop for value in values):
        return stop
    return next((value for value in values if isinstance(value, Unknown)), not stop)


def _macro(evaluator: Evaluator, argument: Any) -> Value:  # noqa: ARG001 - a macro's result is not in the template
    name = argument.get("Name", "a macro") if isinstance(argument, dict) else "a macro"
    return Unknown(f"{name} rewrites this when the stack is created")


_FUNCTIONS: Mapping[str, Callable[[Evaluator, Any], Value]] = {
    "Ref": Evaluator._ref,
    "Fn::GetAtt": Evaluator._get_att,
    "Fn::Sub": Evaluator._sub,
    "Fn::If": Evaluator._if,
    "Fn::FindInMap": Evaluator._find_in_map,
    "Fn::GetStackOutput": Evaluator._stack_output,
    "Fn::GetAZs": Evaluator._zones,
    "Fn::Cidr": Evaluator._cidr,
    "Fn::Join": lambda self, argument: self._pair(functions.join, argument),
    "Fn::Split": lambda self, argument: self._pair(functions.split, argument),
    "Fn::Select": lambda self, argument: self._pair(functions.select, argument),
    "Fn::Base64": lambda self, argument: functions.encode(self.value(argument)),
    "Fn::Length": lambda self, argument: functions.length(self.value(argument)),
    "Fn::ToJsonString": lambda self, argument: functions.to_json(self.value(argument)),
    "Fn::ImportValue": lambda self, argument: self.surroundings.export(self.value(argument), self.region),
    "Fn::Equals": lambda self, argument: self._logical("Fn::Equals", argument),
    "Fn::And": lambda self, argument: self._logical("Fn::And", argument),
    "Fn::Or": lambda self, argument: self._logical("Fn::Or", argument),
    "Fn::Not": lambda self, argument: self._logical("Fn::Not", argument),
    "Fn::Contains": lambda self, argument: self._logical("Fn::Contains", argument),
    "Fn::Transform": _macro,
}
