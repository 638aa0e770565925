"""The same deployment written in other ways: rules that only knew one would miss the others.

- `plain`: YAML with short forms, literal values, everything inline, one stack for each region.
- `parameters`: JSON, literals moved into parameters and into a mapping by region.
- `split`: YAML, the network in a stack of its own whose exports the other imports; rules of security groups, policies
  of roles and records as resources of their own, or gathered.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from bench.faults.base import Built, Json, att, ref
from bicoastal.cfn.emit import to_yaml
from bicoastal.cfn.manifest import FromOutput, Manifest, StackEntry

Stacks = Mapping[str, Built]
_NETWORK = ("AWS::EC2::",)
_STAYS = ("AWS::EC2::LaunchTemplate",)
_ORDER = ("AWSTemplateFormatVersion", "Description", "Parameters", "Mappings", "Conditions", "Resources", "Outputs")
_LITERAL = frozenset({"PolicyDocument", "AssumeRolePolicyDocument", "KeyPolicy", "UserData", "SecretStringTemplate"})


def write(stacks: Stacks, folder: Path, shape: str) -> None:
    """Write templates and their manifest into a new folder."""
    shaped = SHAPES[shape](stacks)
    (folder / "templates").mkdir(parents=True)
    entries = []
    for name, built in shaped.items():
        file = f"templates/{name}.{'json' if shape == 'parameters' else 'yaml'}"
        body = template(built, parameters=shape == "parameters")
        text = json.dumps(body, indent=1) if shape == "parameters" else to_yaml(body)
        (folder / file).write_text(text, encoding="utf-8")
        fed = {parameter: FromOutput(*source) for parameter, source in built.parameters.items()}
        entries.append(StackEntry(name, f"shop-{name}", file, built.region, fed))
    regions = {"us-east-1": "home", "us-west-2": "standby"}
    manifest = Manifest("shop", "production", regions, {}, tuple(entries))
    (folder / "manifest.json").write_text(manifest.to_json(), encoding="utf-8")


def template(built: Built, *, parameters: bool) -> dict[str, Json]:
    """A stack's template."""
    hoisted = _Hoisted(built.region)
    resources = hoisted.resources(built.resources) if parameters else built.resources
    body: dict[str, Json] = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "Shop",
        "Parameters": {name: {"Type": "String"} for name in built.parameters} | hoisted.declared,
        "Mappings": {"Values": {built.region: hoisted.mapped}} if hoisted.mapped else {},
        "Resources": resources,
        "Outputs": {
            name: value if isinstance(value, dict) and "Value" in value else {"Value": value}
            for name, value in built.outputs.items()
        },
    }
    for section, entries in built.sections.items():
        body[section] = {**body.get(section, {}), **entries}
    return {key: body[key] for key in sorted(body, key=_ORDER.index) if body[key] != {}}


class _Hoisted:
    """Literals of properties, moved by turns into parameters and into a mapping."""

    def __init__(self, region: str) -> None:
        self._region = region
        self.declared: dict[str, Json] = {}
        self.mapped: dict[str, Json] = {}

    def resources(self, resources: Mapping[str, Json]) -> dict[str, Json]:
        return {
            name: {**body, "Properties": self._value(body.get("Properties", {}), name)}
            for name, body in resources.items()
        }

    def _value(self, node: Json, name: str) -> Json:
        if isinstance(node, dict):
            if len(node) == 1 and next(iter(node)).startswith(("Ref", "Fn::")):
                return node
            return {key: item if key in _LITERAL else self._value(item, f"{name}{key}") for key, item in node.items()}
        if isinstance(node, list):
            return [self._value(item, f"{name}{index}") for index, item in enumerate(node)]
        if isinstance(node, str) and (len(node) > 60 or "{{" in node):
            return node
        key = "".join(char for char in name if char.isalnum())
        text = str(node).lower() if isinstance(node, bool) else node
        if (len(self.declared) + len(self.mapped)) % 2 and len(self.declared) < 150:
            self.declared[key] = {"Type": "Number" if isinstance(text, int | float) else "String", "Default": text}
            return ref(key)
        self.mapped[key] = text
        return {"Fn::FindInMap": ["Values", ref("AWS::Region"), key]}


def _split(stacks: Stacks) -> dict[str, Built]:
    found: dict[str, Built] = {}
    for name, built in stacks.items():
        resources = _taken_apart(built.resources)
        low = {
            key: body
            for key, body in resources.items()
            if body["Type"].startswith(_NETWORK) and body["Type"] not in _STAYS
        }
        if not low:
            found[name] = replace(built, resources=resources)
            continue
        high = {key: body for key, body in resources.items() if key not in low}
        exports: dict[str, Json] = {}
        high = {key: _imported(body, low, exports, name) for key, body in high.items()}
        low_outputs = {key: value for key, value in built.outputs.items() if _target(value) in low}
        used = _mentioned(low)
        found[f"network-{name}"] = Built(
            built.region,
            low,
            {key: source for key, source in built.parameters.items() if key in used},
            {**low_outputs, **exports},
        )
        found[name] = Built(
            built.region,
            high,
            {key: source for key, source in built.parameters.items() if key not in used},
            {key: value for key, value in built.outputs.items() if key not in low_outputs},
            built.sections,
        )
    # Outputs that moved into a network's stack are fed from there.
    for built in found.values():
        built.parameters = {
            key: (stack if output in found[stack].outputs else f"network-{stack}", output)
            for key, (stack, output) in built.parameters.items()
        }
    return found


def _target(value: Json) -> str:
    if isinstance(value, dict):
        inner = value.get("Ref") or (value.get("Fn::GetAtt") or [""])[0]
        return str(inner)
    return ""


def _mentioned(node: Json) -> set[str]:
    if isinstance(node, dict):
        own = {_target(node)} if len(node) == 1 else set()
        return own.union(*(_mentioned(item) for item in node.values()))
    if isinstance(node, list):
        return set().union(*(_mentioned(item) for item in node)) if node else set()
    return set()


def _imported(node: Json, low: Mapping[str, Json], exports: dict[str, Json], stack: str) -> Json:
    """A value in which what refers to the network's stack imports it."""
    if isinstance(node, dict):
        target = _target(node) if len(node) == 1 else ""
        if target in low:
            attribute = node["Fn::GetAtt"][1] if "Fn::GetAtt" in node else ""
            export = f"{stack}-{target}{attribute and '-'}{attribute}"
            exports[f"{target}{attribute}Export"] = {"Value": node, "Export": {"Name": export}}
            return {"Fn::ImportValue": export}
        return {key: _imported(item, low, exports, stack) for key, item in node.items()}
    if isinstance(node, list):
        return [_imported(item, low, exports, stack) for item in node]
    return node


def _taken_apart(resources: Mapping[str, Json]) -> dict[str, Json]:
    found: dict[str, Json] = {}
    records: dict[str, list[Json]] = {}
    for name, body in resources.items():
        properties = dict(body.get("Properties", {}))
        new = {**body, "Properties": properties}
        if body["Type"] == "AWS::EC2::SecurityGroup":
            for side in ("SecurityGroupIngress", "SecurityGroupEgress"):
                for index, rule in enumerate(properties.pop(side, [])):
                    found[f"{name}{side.removeprefix('SecurityGroup')}{index}"] = {
                        "Type": f"AWS::EC2::{side}",
                        "Properties": {"GroupId": att(name, "GroupId"), **rule},
                    }
        if body["Type"] == "AWS::IAM::Role":
            for index, policy in enumerate(properties.pop("Policies", [])):
                found[f"{name}Policy{index}"] = {
                    "Type": "AWS::IAM::Policy",
                    "Properties": {**policy, "Roles": [ref(name)]},
                }
        if body["Type"] == "AWS::Route53::RecordSet":
            zone = json.dumps(properties.pop("HostedZoneId", None))
            records.setdefault(zone, []).append(properties)
            continue
        found[name] = new
    for index, (zone, entries) in enumerate(records.items()):
        found[f"Records{index}"] = {
            "Type": "AWS::Route53::RecordSetGroup",
            "Properties": {"HostedZoneId": json.loads(zone), "RecordSets": entries},
        }
    return found


SHAPES: dict[str, Callable[[Stacks], Mapping[str, Built]]] = {
    "plain": lambda stacks: stacks,
    "parameters": lambda stacks: stacks,
    "split": _split,
}
