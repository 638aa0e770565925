"""Runs the checkers of AWS and of the field over templates: cfn-lint, cloudformation-validate, checkov.

Each returns plain findings, so that a test can say "none" and the demo can count. Suppressions are the templates' own,
at their resources: nothing is left out here. cloudformation-validate reads no suppressions, but shares its rule ids
with cfn-lint, so the resource's `cfn-lint` metadata speaks for both.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml

from bicoastal.core.findings import Finding, Location, Position, Severity

ROOT = Path(__file__).resolve().parent.parent
CHECKOV = ROOT / ".venv-checkov" / "bin" / "checkov"
_DEADLINE_S = 600


def cfn_lint(templates: Sequence[Path], regions: Sequence[str]) -> list[Finding]:
    """Errors and warnings of cfn-lint for every template in every region."""
    program = Path(sys.executable).with_name("cfn-lint")
    run = subprocess.run(
        [str(program), "--format", "json", "-r", *regions, "--", *map(str, templates)],
        capture_output=True,
        text=True,
        timeout=_DEADLINE_S,
        check=False,
    )
    if run.returncode and not run.stdout.strip():
        raise RuntimeError(f"cfn-lint did not run: {run.stderr.strip()}")
    return [
        Finding(
            rule=item["Rule"]["Id"],
            severity=Severity.ERROR if item["Level"] == "Error" else Severity.WARNING,
            title=item["Message"],
            location=Location(
                item["Filename"],
                Position(item["Location"]["Start"]["LineNumber"], item["Location"]["Start"]["ColumnNumber"]),
                tuple(item["Location"].get("Path") or ()),
            ),
        )
        for item in json.loads(run.stdout or "[]")
    ]


def cloudformation_validate(templates: Sequence[Path], regions: Sequence[str]) -> list[Finding]:
    """What AWS's own validator says above INFO, in every region, less what the resource accepts."""
    from cloudformation_validate import (  # noqa: PLC0415 - 0.6 s to load its rules; only who asks pays
        CompositeEngine,
        PseudoParameterOverrides,
        ValidateConfig,
    )

    engine = CompositeEngine()
    findings = []
    for template in templates:
        accepted = _accepted(template)
        for region in regions:
            config = ValidateConfig(pseudo_parameter_overrides=PseudoParameterOverrides(region=region))
            for item in engine.validate_template(str(template), config).diagnostics:
                if item.severity.name in ("INFO", "DEBUG"):
                    continue
                resource = (item.entity.logical_id or "") if item.entity else ""
                if item.rule_id in accepted.get(resource, ()):
                    continue
                if item.rule_id == "W1001" and "Fn::If" in (item.property_path or ""):
                    continue  # It reads no Fn::If in outputs (1.14.0). cfn-lint has the same rule, and does.
                findings.append(
                    Finding(
                        rule=item.rule_id,
                        severity=Severity.WARNING if item.severity.name == "WARN" else Severity.ERROR,
                        title=item.message,
                        location=Location(str(template), Position(item.start_line or 1, item.start_column or 1)),
                        resource=resource,
                        region=region,
                        remedy=item.suggested_fix or "",
                    )
                )
    return findings


def checkov(folder: Path) -> list[Finding]:
    """Failed checks of checkov over a folder of templates. It lives in an environment of its own (`make setup`)."""
    run = subprocess.run(
        [
            str(CHECKOV), "-d", str(folder), "--framework", "cloudformation", "-o", "json", "--quiet", "--compact",
            "--skip-download", "--soft-fail",
        ],
        capture_output=True,
        text=True,
        timeout=_DEADLINE_S,
        check=False,
        cwd=folder,
    )  # fmt: skip
    if run.returncode:
        raise RuntimeError(f"checkov did not run: {run.stderr.strip()[-2000:]}")
    report = json.loads(run.stdout)
    if "results" not in report:
        if report.get("resource_count") == 0 or report.get("passed") == 0:
            raise RuntimeError("checkov read no template: a check that checks nothing proves nothing")
        return []
    if report["summary"]["parsing_errors"]:
        raise RuntimeError(f"checkov could not read: {report['results'].get('parsing_errors')}")
    return [
        Finding(
            rule=item["check_id"],
            severity=Severity.ERROR,
            title=item["check_name"],
            location=Location(item["file_path"].lstrip("/"), Position(item["file_line_range"][0], 1)),
            resource=item["resource"],
        )
        for item in report["results"]["failed_checks"]
    ]


def _accepted(template: Path) -> dict[str, frozenset[str]]:
    """Logical id to the rules that the resource accepts, with a reason, in its metadata."""
    resources = yaml.load(template.read_bytes(), _Plain)["Resources"]
    return {
        name: frozenset(resource.get("Metadata", {}).get("cfn-lint", {}).get("config", {}).get("ignore_checks", ()))
        for name, resource in resources.items()
    }


class _Plain(yaml.CSafeLoader):
    """Reads metadata; what intrinsics say does not matter here."""


_Plain.add_multi_constructor("!", lambda _loader, _tag, _node: None)
