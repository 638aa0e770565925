"""The bootstrap instance: what it may, what it is given, and that it always tells how it went."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bicoastal.blueprint.bootstrap.instance import LIFE_MINUTES, VERB_DEADLINE_S
from bicoastal.blueprint.bootstrap.launch import DEADLINE_S
from bicoastal.blueprint.service.user_data import USER_DATA_BYTES
from bicoastal.blueprint.stacks import compose
from bicoastal.cfn.manifest import Chosen
from bicoastal.core.errors import Refused
from tests.support.deployed import cloud_config, deployed, plain, user_data_text, written_files
from tests.support.iam import Request, allowed
from tests.support.instance import Metadata
from tests.support.specs import spec

Json = Any
HERE = "us-east-1:${AWS::AccountId}"
INSTANCE = "i-0123456789abcdef0"
RELEASING = spec(
    app={"command": "./run", "release_command": "echo ${X:-1}", "secrets": ["API_KEY"], "packages": ["git"]}
)
STACKS = deployed(RELEASING).stacks
STACK = STACKS["bootstrap/us-east-1"]
TEMPLATE = STACK.resources["BootstrapTemplate"]


def test_it_stands_in_both_regions_after_the_database_and_nothing_waits_for_it() -> None:
    manifest = compose(RELEASING).manifest
    needs = {entry.id: entry.needs for entry in manifest.stacks}
    assert "database/us-west-2" in needs["bootstrap/us-west-2"]
    assert not [id_ for id_, needed in needs.items() if any(item.startswith("bootstrap/") for item in needed)]


def test_it_boots_what_the_fleet_boots() -> None:
    sources = {entry.id: entry.parameters for entry in compose(RELEASING).manifest.stacks}
    for name in ("ImageId", "KitVersion", "ApplicationVersion"):
        bootstrap, service = (sources[f"{kind}/us-east-1"][name] for kind in ("bootstrap", "service"))
        assert isinstance(bootstrap, Chosen)
        assert bootstrap == service


def test_the_instance_is_private_encrypted_and_ends_when_it_stops() -> None:
    data = plain(TEMPLATE.get("LaunchTemplateData"))
    assert data["InstanceInitiatedShutdownBehavior"] == "terminate"
    assert data["MetadataOptions"]["HttpTokens"] == "required"
    assert data["SecurityGroupIds"] == ["${network/us-east-1/FleetGroup}"]
    assert all(device["Ebs"]["Encrypted"] for device in data["BlockDeviceMappings"])
    assert "KeyName" not in data


def test_it_ends_by_itself_later_than_the_document_would_end_it() -> None:
    config = cloud_config(TEMPLATE)
    assert config["power_state"] == {
        "mode": "poweroff",
        "delay": f"+{LIFE_MINUTES}",
        "message": config["power_state"]["message"],
    }
    assert VERB_DEADLINE_S < DEADLINE_S < LIFE_MINUTES * 60


def test_its_configuration_names_all_four_secrets_and_the_release_command() -> None:
    kit = json.loads(written_files(TEMPLATE)["/opt/bicoastal/etc/kit.json"])
    assert sorted(kit["database"]["secrets"]) == ["app", "kit", "master", "owner"]
    assert kit["application"]["release_command"] == "echo ${X:-1}", "the team's own ${ is left alone"
    assert list(kit["application"]["secrets"]) == ["API_KEY"]
    assert "signal" not in kit


def test_a_spec_that_does_not_fit_is_refused_in_words() -> None:
    long = spec(app={"command": "./run", "release_command": "x" * 16000})
    with pytest.raises(Refused, match=f"EC2 takes {USER_DATA_BYTES}"):
        compose(long)


# Who starts it.

LAUNCHER = [policy["PolicyDocument"] for policy in plain(STACK.resources["BootstrapAutomationRole"].get("Policies"))]
OURS = {"ec2:LaunchTemplate": f"arn:aws:ec2:{HERE}:launch-template/${{bootstrap/us-east-1/BootstrapTemplate}}"}


def test_it_launches_from_its_own_template_only() -> None:
    instance = f"arn:aws:ec2:{HERE}:instance/*"
    assert allowed(Request("ec2:RunInstances", instance, OURS), LAUNCHER)
    other = {"ec2:LaunchTemplate": f"arn:aws:ec2:{HERE}:launch-template/lt-other"}
    assert not allowed(Request("ec2:RunInstances", instance, other), LAUNCHER)
    assert not allowed(Request("ec2:RunInstances", instance), LAUNCHER)


def test_it_tags_at_launch_only_and_ends_its_own_instances_only() -> None:
    instance = f"arn:aws:ec2:{HERE}:instance/{INSTANCE}"
    assert allowed(Request("ec2:CreateTags", instance, {"ec2:CreateAction": "RunInstances"}), LAUNCHER)
    assert not allowed(Request("ec2:CreateTags", instance), LAUNCHER)
    assert allowed(
        Request("ec2:TerminateInstances", instance, {"aws:ResourceTag/Name": "orders-production-bootstrap"}), LAUNCHER
    )
    assert not allowed(
        Request("ec2:TerminateInstances", instance, {"aws:ResourceTag/Name": "orders-production-fleet"}), LAUNCHER
    )


def test_the_name_that_may_be_ended_is_the_one_that_it_gets() -> None:
    (tags,) = [
        item["Tags"]
        for item in plain(TEMPLATE.get("LaunchTemplateData", "TagSpecifications"))
        if item["ResourceType"] == "instance"
    ]
    assert {"Key": "Name", "Value": "orders-production-bootstrap"} in tags


BUCKET = "${foundation/us-east-1/ArtifactBucket}"

# What it runs: the finished script, with the programs that it calls stood in for.

_PYTHON = """\
#!/bin/sh
[ "$1" = "-c" ] && exec python3 "$@"
echo "$*" >> "$STAND_IN/calls"
case "$3" in
fetch) [ -e "$STAND_IN/fetchable" ] ;;
bootstrap) echo "this is what the kit says"; exit "$(cat "$STAND_IN/exit")" ;;
esac
"""
_AWS = """\
#!/bin/sh
[ "$1 $2" = "s3 cp" ] || exit 2
mkdir -p "$(dirname "$STAND_IN/${5#s3://}")"
exec cp "$4" "$STAND_IN/${5#s3://}"
"""


@pytest.fixture
def metadata() -> Iterator[str]:
    service = Metadata(INSTANCE, "us-east-1a")
    yield service.endpoint
    service.close()


def _run(folder: Path, metadata: str, exit_code: int) -> tuple[int, str]:
    """Run the script under a root of its own; returns its exit code and the outcome that reached the bucket."""
    root = folder / "root"
    for name in ("kit", "log", "etc"):
        (root / name).mkdir(parents=True)
    (root / "kit" / ".complete").touch()
    (folder / "fetchable").touch()
    (folder / "exit").write_text(str(exit_code))
    (folder / "bin").mkdir()
    for name, text in (("python3.11", _PYTHON), ("aws", _AWS)):
        (folder / "bin" / name).write_text(text)
        (folder / "bin" / name).chmod(0o755)
    asked = STACK.resources["BootstrapDocument"].get("Content", "mainSteps", 1, "inputs")
    assert plain(asked) | {"Bucket": BUCKET, "Prefix": "bootstrap/{{ Launch.InstanceId }}/outcome"} == plain(asked)
    bucket = "foundation/us-east-1.ArtifactBucket"
    script = written_files(TEMPLATE)["/opt/bicoastal/bin/bootstrap"]
    assert f"s3://{bucket}/bootstrap/$id/outcome" in script, "where the document looks"
    text = script.replace("/opt/bicoastal", str(root)).replace(bucket, "artifacts")
    environment = {
        "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
        "STAND_IN": str(folder),
        "AWS_EC2_METADATA_SERVICE_ENDPOINT": metadata,
    }
    done = subprocess.run(["/bin/sh", "-c", text], env=environment, timeout=30, check=False, capture_output=True)
    return done.returncode, (folder / f"artifacts/bootstrap/{INSTANCE}/outcome").read_text()


def test_it_fetches_bootstraps_and_tells_that_it_succeeded(tmp_path: Path, metadata: str) -> None:
    code, outcome = _run(tmp_path, metadata, 0)
    assert code == 0
    assert outcome == "succeeded\nthis is what the kit says\n"
    verbs = [line.split()[2] for line in (tmp_path / "calls").read_text().splitlines()]
    assert verbs == ["fetch", "bootstrap"]


def test_it_tells_that_it_failed_and_what_the_kit_said(tmp_path: Path, metadata: str) -> None:
    code, outcome = _run(tmp_path, metadata, 1)
    assert code == 1
    assert outcome == "failed with exit code 1\nthis is what the kit says\n"


def test_the_unit_runs_that_script_after_the_kit_is_unpacked() -> None:
    files = written_files(TEMPLATE)
    unit = files["/etc/systemd/system/bicoastal-bootstrap.service"]
    assert "After=bicoastal-install.service" in unit
    assert "ExecStart=/bin/sh /opt/bicoastal/bin/bootstrap\n" in unit
    assert f"TimeoutStartSec={VERB_DEADLINE_S + 600}" in unit
    assert "/etc/systemd/system/bicoastal-install.service" in files
    assert len(user_data_text(TEMPLATE).encode()) < USER_DATA_BYTES
