"""AWS's own schema pass over the templates, by `cloudformation-validate`, merged with our findings and attributed.

It is optional (`pip install 'bicoastal[validate]'`) and loaded only when it is asked: its rules take half a second.
What it says keeps its own rule ids, and each finding ends with who said it.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bicoastal.cfn.deployment import Deployment, Resource
from bicoastal.core.findings import Finding, Location, Position, Severity

PACKAGE = "cloudformation-validate"
FAILED = "schema-pass-failed"
_MODULE = "cloudformation_validate"
_SEVERITIES = {"FATAL": Severity.ERROR, "ERROR": Severity.ERROR, "WARN": Severity.WARNING}
"""What is below a warning there is a hint on style."""


def available() -> bool:
    """Whether the package is here; looks, and loads nothing."""
    return find_spec(_MODULE) is not None


def schema_findings(deployment: Deployment, root: Path | None = None) -> Iterator[Finding]:
    """What AWS's validator says of each template in each of its regions; `root`: the folder of the manifest's files."""
    from cloudformation_validate import (  # noqa: PLC0415 - half a second, for those who ask
        CompositeEngine,
        PseudoParameterOverrides,
        ValidateConfig,
        version,
    )
    from cloudformation_validate import Severity as Theirs  # noqa: PLC0415

    engine = CompositeEngine()
    said_by = f"Said by {PACKAGE} {version()}."
    for file, region, stack in _each(deployment):
        path = root / file if root is not None else Path(file)
        try:
            config = ValidateConfig(
                pseudo_parameter_overrides=PseudoParameterOverrides(region=region),
                severity_level=Theirs.WARN,  # thousands of hints would be handed over, to be dropped here
            )
            diagnostics = engine.validate_template(str(path), config).diagnostics
        except Exception as error:
            title = f"{PACKAGE} could not read this template: {type(error).__name__}: {str(error)[:200]}"
            yield Finding(FAILED, Severity.INFO, title, Location(file), template=file, region=region)
            continue
        for item in diagnostics:
            severity = _SEVERITIES.get(item.severity.name)
            resource = (item.entity.logical_id or "") if item.entity else ""
            if severity is None or _misread(item) or item.rule_id in _accepted(stack.get(resource)):
                continue
            yield Finding(
                item.rule_id,
                severity,
                str(item.message),
                Location(file, Position(item.start_line or 1, item.start_column or 1), _path(resource, item)),
                said_by,
                str(item.suggested_fix or ""),
                file,
                region,
                resource,
            )


def _each(deployment: Deployment) -> Iterator[tuple[str, str, dict[str, Resource]]]:
    seen = set()
    for stack in deployment.stacks.values():
        key = (stack.template.file, stack.region)
        if key not in seen:
            seen.add(key)
            yield *key, stack.resources


def _misread(item: Any) -> bool:
    """What version 1.14 gets wrong: it reads no `Fn::If` in outputs. cfn-lint has the same rule, and does."""
    return item.rule_id == "W1001" and "Fn::If" in (item.property_path or "")


def _accepted(resource: Resource | None) -> frozenset[str]:
    """Rules that the template's author has accepted for a resource, where cfn-lint and its kin look for them."""
    metadata = resource.body.get("Metadata") if resource is not None else None
    found: set[str] = set()
    for key in ("cfn-lint", "cloudformation-validate"):
        own = metadata.get(key) if isinstance(metadata, dict) else None
        config = own.get("config") if isinstance(own, dict) else None
        ignored = config.get("ignore_checks") if isinstance(config, dict) else None
        found.update(str(item) for item in ignored if item) if isinstance(ignored, list) else None
    return frozenset(found)


def _path(resource: str, item: Any) -> tuple[str | int, ...]:
    steps = [step for step in str(item.property_path or "").replace("/", ".").split(".") if step]
    return (*(("Resources", resource) if resource and steps[:1] != ["Resources"] else ()), *steps)
