"""The whole deployment, for any valid spec: inside CloudFormation's limits, accepted, the same bytes every time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings

from bicoastal.blueprint.stacks import compose
from bicoastal.blueprint.write import render, write_deployment
from bicoastal.cfn.intrinsics import strip_comments
from bicoastal.cfn.manifest import FromOutput, Live, Manifest
from bicoastal.spec.model import Spec
from tests.support.specs import spec, valid_specs
from tools import validators

MAX_RESOURCES, MAX_BYTES, MAX_PARAMETERS, MAX_OUTPUTS = 500, 1_000_000, 200, 200
"""CloudFormation's quotas for one template (AWS CloudFormation User Guide, "CloudFormation quotas")."""


@given(valid_specs())
def test_every_template_is_inside_cloudformations_limits(any_spec: Spec) -> None:
    for stack in compose(any_spec).stacks:
        document = strip_comments(stack.document)
        assert 0 < len(document["Resources"]) <= MAX_RESOURCES, stack.kind
        assert len(stack.to_yaml().encode()) <= MAX_BYTES, stack.kind
        assert len(document.get("Parameters", {})) <= MAX_PARAMETERS, stack.kind
        assert len(document.get("Outputs", {})) <= MAX_OUTPUTS, stack.kind


@given(valid_specs())
def test_every_wire_ends_at_an_output_that_is_there(any_spec: Spec) -> None:
    deployment = compose(any_spec)
    outputs = {
        f"{stack.kind}/{region}": set(stack.document.get("Outputs", {}))
        for stack in deployment.stacks
        for region in stack.regions
    }
    for entry in deployment.manifest.stacks:
        for name, source in entry.parameters.items():
            inner = source.initial if isinstance(source, Live) else source
            if isinstance(inner, FromOutput):
                assert inner.output in outputs[inner.stack], (entry.id, name)


@given(valid_specs())
def test_every_parameter_has_a_source_and_is_used(any_spec: Spec) -> None:
    for stack in compose(any_spec).stacks:
        document = strip_comments(stack.document)
        declared = set(document.get("Parameters", {}))
        for region in stack.regions:
            assert set(stack.sources[region]) == declared, (stack.kind, region)
        text = repr({name: section for name, section in document.items() if name != "Parameters"})
        assert [name for name in sorted(declared) if f"'{name}'" not in text and f"${{{name}" not in text] == []


def test_the_same_spec_gives_the_same_bytes_in_another_process() -> None:
    """A set's order depends on the process's hash seed: nothing that is written may."""
    program = (
        "import hashlib\n"
        "from bicoastal.blueprint.stacks import compose\n"
        "from bicoastal.blueprint.write import render\n"
        "from tests.support.specs import spec\n"
        "print(hashlib.sha256(repr(render(compose(spec()))).encode()).hexdigest())\n"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed, "TZ": zone, "LC_ALL": "C"},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout
        for seed, zone in [("1", "UTC"), ("2", "Asia/Tokyo"), ("3", "America/New_York")]
    }
    assert len(digests) == 1


def test_both_regions_get_the_same_template() -> None:
    manifest = compose(spec()).manifest
    kinds = {entry.id.partition("/")[0] for entry in manifest.stacks if entry.region == "us-west-2"}
    for kind in kinds:
        assert {entry.template for entry in manifest.stacks if entry.id.startswith(f"{kind}/")} == {
            f"templates/{kind}.yaml"
        }


def test_the_manifest_survives_its_file() -> None:
    manifest = compose(spec()).manifest
    assert Manifest.from_json(manifest.to_json()) == manifest


@pytest.mark.validators
@settings(max_examples=6)
@given(valid_specs())
def test_awss_validator_accepts_every_template_of_any_spec(
    tmp_path_factory: pytest.TempPathFactory, any_spec: Spec
) -> None:
    folder = tmp_path_factory.mktemp("deployment") / "d"
    write_deployment(compose(any_spec), folder)
    findings = validators.cloudformation_validate(sorted((folder / "templates").iterdir()), list(any_spec.regions))
    assert [f"{finding.rule} {finding}" for finding in findings] == []


@pytest.fixture(scope="module")
def smallest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("smallest") / "deployment"
    write_deployment(compose(spec()), folder)
    return folder


@pytest.mark.validators
def test_cfn_lint_is_silent_in_both_regions(smallest: Path) -> None:
    findings = validators.cfn_lint(sorted((smallest / "templates").iterdir()), ["us-east-1", "us-west-2"])
    assert [f"{finding.rule} {finding}" for finding in findings] == []


@pytest.mark.validators
def test_cloudformation_validate_is_silent_in_both_regions(smallest: Path) -> None:
    templates = sorted((smallest / "templates").iterdir())
    findings = validators.cloudformation_validate(templates, ["us-east-1", "us-west-2"])
    assert [f"{finding.rule} {finding}" for finding in findings] == []


@pytest.mark.validators
def test_checkov_is_silent(smallest: Path) -> None:
    assert [f"{finding.rule} {finding}" for finding in validators.checkov(smallest / "templates")] == []


@pytest.mark.validators
def test_the_validators_would_speak(smallest: Path, tmp_path: Path) -> None:
    """A silent validator that was not really run would pass every test above."""
    template = (
        (smallest / "templates" / "database.yaml")
        .read_text()
        .replace("PubliclyAccessible: false", "PubliclyAccessible: true")
    )
    broken = tmp_path / "database.yaml"
    broken.write_text(template + "\n  Misspelt:\n    Value: x\n    Vlaue: y\n")
    assert validators.cfn_lint([broken], ["us-east-1"])
    assert validators.cloudformation_validate([broken], ["us-east-1"])
    assert "CKV_AWS_17" in {finding.rule for finding in validators.checkov(tmp_path)}


def test_every_template_has_parameter_files_where_it_is_deployed() -> None:
    deployment = compose(spec())
    files = render(deployment)
    for stack in deployment.stacks:
        assert f"templates/{stack.kind}.yaml" in files
        for region in stack.regions:
            assert f"parameters/{region}/{stack.kind}.json" in files
