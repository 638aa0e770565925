"""An instance boots: the finished user data's own units, run one after the other under another root.

Nothing of theirs is replaced but the root. The `aws` command, the metadata service and the bucket are stood in for; the
operating system's part (users, hardening, rotation, the agent) is not shown here.
"""

from __future__ import annotations

import json
import subprocess
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bicoastal.blueprint.bundle import application_bundle, kit_bundle, version_of
from bicoastal.blueprint.service.units import ROOT
from bicoastal.spec.model import Spec
from tests.support.deployed import service, written_files
from tests.support.instance import Aws, Metadata
from tests.support.postgres import free_port
from tests.support.specs import spec
from tests.support.systemd import arguments, settings

UNITS = "/etc/systemd/system/"


@dataclass
class Machine:
    """A folder as an instance's disk, and what an instance finds outside itself."""

    disk: Path
    aws: Aws
    metadata: Metadata
    files: dict[str, str]
    """What cloud-init wrote, paths and contents under the other root."""

    @property
    def root(self) -> Path:
        """Where `/opt/bicoastal` is."""
        return self.disk / ROOT.lstrip("/")

    def commands(self, unit: str) -> tuple[list[list[str]], dict[str, str]]:
        """A unit's programs with their arguments, and their environment."""
        found = settings(self.files[f"{UNITS}bicoastal-{unit}.service"])
        environment = dict(word.split("=", 1) for line in found.get("Service.Environment", []) for word in line.split())
        for path in found.get("Service.EnvironmentFile", []):
            environment |= _environment_file(path)
        outside = {**self.aws.environment, "AWS_EC2_METADATA_SERVICE_ENDPOINT": self.metadata.endpoint}
        return [arguments(line) for line in found["Service.ExecStart"]], {**outside, **environment}

    def run(self, unit: str) -> None:
        """Run a unit that ends."""
        commands, environment = self.commands(unit)
        for command in commands:
            done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
            assert done.returncode == 0, f"{unit}: {command}: {done.stderr}"


def _environment_file(path: str) -> dict[str, str]:
    """The file as a shell reads it, which is how systemd reads double quotes too."""
    shell = ["/bin/sh", "-c", 'set -a; . "$1"; env -0', "sh", path]
    listed = subprocess.run(shell, env={}, capture_output=True, text=True, timeout=10, check=True).stdout
    return dict(item.split("=", 1) for item in listed.split("\0") if item)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    folder = tmp_path / "application"
    folder.mkdir()
    (folder / "healthz").write_text("fine")
    port = free_port()
    chosen = spec(
        app={
            "command": 'exec python3.11 -m http.server "$PORT" --bind 127.0.0.1',
            "port": port,
            "environment": {"GREETING": '50 % off: ${HOME} "now"'},
            "secrets": ["SIGNING_KEY"],
        }
    )
    metadata = Metadata("i-0123456789abcdef0", "us-east-1a")
    try:
        yield _prepared(tmp_path, chosen, kit_bundle(), application_bundle(folder), metadata)
    finally:
        metadata.close()


def _prepared(tmp_path: Path, chosen: Spec, kit: bytes, application: bytes, metadata: Metadata) -> Machine:
    versions = {"KitVersion": version_of(kit), "ApplicationVersion": version_of(application)}
    written = written_files(service(chosen, **versions).resources["LaunchTemplate"])
    disk = tmp_path / "disk"
    moved = {path: text.replace(ROOT, f"{disk}{ROOT}") for path, text in written.items()}
    for path, text in moved.items():
        target = disk / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    configuration = json.loads(moved[f"{ROOT}/etc/kit.json"])
    aws = Aws(tmp_path / "aws")
    aws.put(configuration["bucket"], f"kits/{versions['KitVersion']}.tar.gz", kit)
    aws.put(configuration["bucket"], f"applications/{versions['ApplicationVersion']}.tar.gz", application)
    aws.put(configuration["bucket"], "ca/rds.pem", b"certificates\n")
    _store(aws, configuration["database"]["secrets"]["app"], {"username": "app", "password": "of-the-application"})
    _store(aws, configuration["application"]["secrets"]["SIGNING_KEY"], "signing")
    return Machine(disk, aws, metadata, moved)


def _store(aws: Aws, arn: str, value: object) -> None:
    (aws.folder / "secrets" / arn).parent.mkdir(parents=True, exist_ok=True)
    aws.set_secret(arn, value if isinstance(value, str) else json.dumps(value))


def test_from_an_empty_disk_to_an_application_that_cloudformation_hears_of(machine: Machine) -> None:
    for unit in ("install", "fetch", "environment"):
        machine.run(unit)
    assert (machine.root / "app" / "healthz").read_text() == "fine"
    assert (machine.root / "etc" / "application.env").stat().st_mode & 0o777 == 0o600

    (command,), environment = machine.commands("application")
    assert environment["GREETING"] == '50 % off: ${HOME} "now"'
    assert environment["SIGNING_KEY"] == "signing"
    assert "PYTHONPATH" not in environment
    server = subprocess.Popen(
        command, env=environment, cwd=machine.root / "app", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        machine.run("signal")
        with urllib.request.urlopen(f"http://127.0.0.1:{environment['PORT']}/healthz", timeout=5) as answer:
            assert answer.read() == b"fine"
    finally:
        server.kill()
        server.wait(10)
    (told,) = [call for call in machine.aws.calls if call.startswith("cloudformation signal-resource")]
    assert "--logical-resource-id Fleet" in told
    assert "--stack-name orders-production-service" in told
    assert "--unique-id i-0123456789abcdef0" in told
    assert "--status SUCCESS" in told
    assert (machine.root / ".signaled").exists()


def test_a_second_boot_asks_the_bucket_for_nothing(machine: Machine) -> None:
    """The units' own conditions: an instance that restarts while S3 is away serves what it has."""
    for unit in ("install", "fetch"):
        machine.run(unit)
    before = len(machine.aws.calls)
    (condition,) = settings(machine.files[f"{UNITS}bicoastal-install.service"])["Unit.ConditionPathExists"]
    assert condition.startswith("!")
    assert Path(condition.removeprefix("!")).exists(), "so systemd does not run install again"
    machine.run("fetch")
    assert machine.aws.calls[before:] == []
