"""A deployment as CloudFormation sees it: the finished YAML read back, and evaluated in each region."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import yaml

from bicoastal.blueprint.stacks import compose
from bicoastal.cfn.deployment import Change, Deployment, Resource, Stack
from bicoastal.cfn.manifest import Manifest
from bicoastal.cfn.reader import Template, parse_template
from bicoastal.cfn.values import Encoded, Reference, Text, Unknown
from bicoastal.spec.model import Spec

Json = Any


def deployed(spec: Spec, parameters: Mapping[tuple[str, str], str] | None = None) -> Deployment:
    """Every stack in both regions; `parameters` are those that operations changed, by (stack id, name)."""
    manifest, templates = _read(spec.model_dump_json())
    return Deployment.of(manifest, templates, Change(parameters or {}))


def service(spec: Spec, region: str = "us-east-1", **live: str) -> Stack:
    """The service stack of one region, some of its parameters changed."""
    id_ = f"service/{region}"
    return deployed(spec, {(id_, name): value for name, value in live.items()}).stacks[id_]


@lru_cache(maxsize=8)
def _read(spec: str) -> tuple[Manifest, Mapping[str, Template]]:
    """By the spec's text, since most tests of a module ask for the same one."""
    made = compose(Spec.model_validate_json(spec))
    return made.manifest, {
        f"templates/{stack.kind}.yaml": parse_template(stack.to_yaml(), f"templates/{stack.kind}.yaml")
        for stack in made.stacks
    }


def of_type(stack: Stack, type_: str) -> dict[str, Resource]:
    """The stack's resources of a type, by logical id."""
    return {name: resource for name, resource in stack.resources.items() if resource.type == type_}


def plain(value: Json) -> Json:
    """The value with what AWS will only name at creation as text: `${network/us-east-1/Vpc}`."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)


def user_data_text(template: Resource) -> str:
    """What an instance of the launch template is given at boot."""
    encoded = template.get("LaunchTemplateData", "UserData")
    assert isinstance(encoded, Encoded)
    parts = encoded.text.parts if isinstance(encoded.text, Text) else (encoded.text,)
    return "".join(part if isinstance(part, str) else _as_aws_might(part) for part in parts)


def _as_aws_might(hole: Reference | Unknown) -> str:
    """A value of the right kind for what AWS names at creation; it tells where it came from."""
    assert isinstance(hole, Reference), hole
    return {"AWS::AccountId": "123456789012", "AWS::Partition": "aws"}.get(
        hole.resource, "5432" if hole.attribute.endswith("Port") else f"{hole.stack}.{hole.resource}"
    )


def cloud_config(template: Resource) -> Json:
    """The same, read as cloud-init reads it."""
    text = user_data_text(template)
    assert text.startswith("#cloud-config\n")
    return yaml.safe_load(text)


def written_files(template: Resource) -> dict[str, str]:
    """Path to content of what cloud-init writes."""
    return {item["path"]: item["content"] for item in cloud_config(template)["write_files"]}
