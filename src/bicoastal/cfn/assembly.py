"""Reads what `cdk synth` wrote (`cdk.out`): its stacks with their templates, regions, names and parameters.

Nested assemblies (the CDK's stages) are read too. An environment that the CDK left open ("unknown-region") stays open:
the caller says where such stacks go.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_STACK = "aws:cloudformation:stack"
_NESTED = "cdk:cloud-assembly"
_MAX_DEPTH = 10


@dataclass(frozen=True)
class AssembledStack:
    """A stack of an assembly."""

    file: Path
    name: str
    region: str
    """Empty where the CDK left it open."""
    parameters: Mapping[str, str]
    tags: Mapping[str, str]


def is_assembly(data: Any) -> bool:
    """Whether what a manifest.json holds is the CDK's."""
    return isinstance(data, Mapping) and isinstance(data.get("artifacts"), Mapping) and "version" in data


def stacks_of(folder: Path, data: Mapping[str, Any], depth: int = 0) -> Iterator[AssembledStack]:
    """Every stack, in the order of the manifest. Parts that are of another form than the CDK's are left out."""
    for name, artifact in data["artifacts"].items():
        if not isinstance(artifact, Mapping):
            continue
        properties = artifact.get("properties")
        properties = properties if isinstance(properties, Mapping) else {}
        if artifact.get("type") == _STACK and isinstance(properties.get("templateFile"), str):
            yield AssembledStack(
                folder / properties["templateFile"],
                str(properties.get("stackName") or artifact.get("displayName") or name),
                _region(artifact.get("environment")),
                _texts(properties.get("parameters")),
                _texts(properties.get("tags")),
            )
        elif artifact.get("type") == _NESTED and depth < _MAX_DEPTH:
            inner = folder / str(properties.get("directoryName") or name)
            try:
                inner_data = json.loads((inner / "manifest.json").read_text(encoding="utf-8"))
            except (OSError, ValueError):
                continue
            if is_assembly(inner_data):
                yield from stacks_of(inner, inner_data, depth + 1)


def _region(environment: Any) -> str:
    region = str(environment or "").rpartition("/")[2]
    return "" if region.startswith("unknown") else region


def _texts(values: Any) -> dict[str, str]:
    return {str(key): str(item) for key, item in values.items()} if isinstance(values, Mapping) else {}
