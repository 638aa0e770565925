"""`aws` on an instance: its output, its errors and its exit codes are the AWS CLI's, its rights those of the role."""

from __future__ import annotations

import json
import threading
import time

import pytest

from bicoastal.twin.instances.aws_command import _sorted
from bicoastal.twin.instances.machine import Machine
from bicoastal.twin.interfaces import Said, Verdict
from bicoastal.twin.pace import Pace
from tests.twin.instances.conftest import BUCKET, Site, Sites

IDLE = "#cloud-config\npackages: []\n"


@pytest.fixture
def machine(site: Site) -> Machine:
    return site.booted(site.launch(IDLE))


def test_an_operation_by_its_model_with_the_rights_of_the_role(site: Site, machine: Machine) -> None:
    said = machine.shell("aws sts get-caller-identity --region us-east-1 --output json", 30)
    assert said.code == 0, said
    assert json.loads(said.output)["Arn"].endswith(f"assumed-role/instance/{machine.id}")
    said = machine.shell(f"aws secretsmanager get-secret-value --secret-id {site.secrets['app']}", 30)
    assert json.loads(json.loads(said.output)["SecretString"])["username"] == "app"
    said = machine.shell(
        "aws ec2 describe-instances --filters Name=instance-state-name,Values=running,pending"
        " --query 'Reservations[].Instances[].InstanceId' --output text",
        30,
    )
    assert said.output == f"{machine.id}\n"


def test_errors_and_exit_codes_are_the_clis(machine: Machine) -> None:
    denied = machine.shell("aws iam list-roles", 30)
    assert denied.code == 254
    assert "An error occurred (AccessDenied) when calling the ListRoles operation:" in denied.errors
    signal = machine.shell(
        "aws cloudformation signal-resource --stack-name none --logical-resource-id Fleet --unique-id i-1"
        " --status SUCCESS",
        30,
    )
    assert (signal.code, signal.output) == (254, "")
    assert "when calling the SignalResource operation" in signal.errors
    for words in (
        "aws ec2 no-such-operation",
        "aws no-such-service x",
        "aws sts get-caller-identity --no-such-option x",
    ):
        assert machine.shell(words, 30).code == 252, words
    assert machine.shell("aws secretsmanager get-secret-value", 30).code == 252


def test_objects_come_and_go_as_the_programs_own_files(site: Site, machine: Machine) -> None:
    body = bytes(range(256)) * 2000
    site.client("s3").put_object(Bucket=BUCKET, Key="a/object", Body=body)
    said = machine.shell(
        f"aws s3 cp --only-show-errors s3://{BUCKET}/a/object $ROOT/run/got && ls -n $ROOT/run/got", 30
    )
    assert said.code == 0, said
    assert (machine.root / "run/got").read_bytes() == body
    assert str(site.ground.home.account.user_id) in said.output
    up = machine.shell(f"aws s3 cp $ROOT/run/got s3://{BUCKET}/b/ && echo text | aws s3 cp - s3://{BUCKET}/c", 30)
    assert f"to s3://{BUCKET}/b/" in up.output
    assert site.client("s3").get_object(Bucket=BUCKET, Key="b/got")["Body"].read() == body
    assert machine.shell(f"aws s3 cp s3://{BUCKET}/c -", 30) == Said(0, "text\n", "")
    missing = machine.shell(f"aws s3 cp --only-show-errors s3://{BUCKET}/none $ROOT/run/none", 30)
    assert missing.code == 1
    assert "NoSuchKey" in missing.errors
    nowhere = machine.shell(f"aws s3 cp --only-show-errors s3://{BUCKET}/a/object /proc/none/x", 30)
    assert nowhere.code != 0
    assert "No such file or directory" in nowhere.errors


def test_without_a_profile_there_are_no_credentials(site: Site) -> None:
    machine = site.booted(site.launch(IDLE, profile=False))
    said = machine.shell("aws sts get-caller-identity", 30)
    assert said.code == 253
    assert "Unable to locate credentials" in said.errors


def test_a_service_without_a_way_to_it_is_silent_until_the_cli_gives_up(sites: Sites) -> None:
    open_way = threading.Event()
    asked: list[tuple[str, str, int]] = []

    def admits(source: str, destination: str, port: int) -> Verdict:
        asked.append((source, destination, port))
        return Verdict(open_way.is_set() or not destination.endswith("/s3"), "no route to it")

    site = sites(Pace("test", 30), admits=admits)
    machine = site.booted(site.launch(IDLE))
    begun = time.monotonic()
    said = machine.shell(f"aws s3 cp --only-show-errors s3://{BUCKET}/a - --region us-east-1", 60)
    assert said.code != 0
    assert 'Connect timeout on endpoint URL: "https://s3.us-east-1.amazonaws.com/"' in said.errors
    assert time.monotonic() - begun >= 60 / 30
    assert asked[0] == (f"instance/us-east-1/{machine.id}", "service/us-east-1/s3", 443)
    assert "no way to service/us-east-1/s3: no route to it" in machine.console.read_text()
    assert machine.shell("aws sts get-caller-identity", 30).code == 0
    site.client("s3").put_object(Bucket=BUCKET, Key="a", Body=b"body")
    threading.Timer(0.5, open_way.set).start()
    assert machine.shell(f"aws s3 cp s3://{BUCKET}/a -", 60).output == "body", "a way that opens in time is taken"


def test_command_lines_are_sorted_as_the_cli_does() -> None:
    line = _sorted(["s3", "cp", "--only-show-errors", "s3://b/k", "/t", "--region", "us-east-1"])
    assert (line.words, line.one("region")) == (["s3", "cp", "s3://b/k", "/t"], "us-east-1")
    line = _sorted(["--region", "x", "ec2", "terminate-instances", "--instance-ids", "i-1", "i-2", "--no-cli-pager"])
    assert (line.words, line.options["instance-ids"]) == (["ec2", "terminate-instances"], ["i-1", "i-2"])
