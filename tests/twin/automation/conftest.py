"""A control plane with the automation controller in its loop, instances that are records, and hosts that run shells."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from bicoastal.aws.session import Session
from bicoastal.blueprint.stacks import compose
from bicoastal.core.errors import SystemFault
from bicoastal.twin.api import Watcher
from bicoastal.twin.automation.controller import Automation
from bicoastal.twin.controller import Loop
from bicoastal.twin.ground import Ground, ground
from bicoastal.twin.interfaces import Host, Said, Usage
from bicoastal.twin.pace import FAST, Pace
from bicoastal.twin.processes import end_leftovers
from tests.support.closure import closure
from tests.support.cloudformation import Account, Walker
from tests.support.specs import spec

Json = Any
HOME, STANDBY = "us-east-1", "us-west-2"
QUICK = Pace("of these tests", 100)
"""Five minutes of access last three seconds."""


class ShellHost:
    """A host whose shell is this machine's, in a folder of its own."""

    def __init__(self, region: str, id_: str, root: Path) -> None:
        self.id = id_
        self.region = region
        self.zone = f"{region}a"
        self.root = root
        self.address = "127.0.0.1"
        self.vcpus = 1.0
        self.memory_bytes = 1 << 30

    def tag(self, name: str) -> str | None:
        del name
        return None

    def session(self) -> Session:
        raise SystemFault("this host has no profile")

    def usage(self) -> Usage:
        return Usage(0.0, 0)

    def shell(self, script: str, within_s: float, environment: Mapping[str, str] | None = None) -> Said:
        variables = {"PATH": "/usr/bin:/bin", **(environment or {})}
        try:
            done = subprocess.run(
                ("/bin/sh", "-c", script),
                cwd=self.root,
                env=variables,
                capture_output=True,
                text=True,
                timeout=within_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Said(-9, "", "it was killed")
        return Said(done.returncode, done.stdout, done.stderr)


class Room:
    """The room under test, and who uses it."""

    def __init__(self, on: Ground, folder: Path) -> None:
        self.ground = on
        self.account = Account(on.api.endpoint)
        self.hosts: dict[tuple[str, str], Host] = {}
        self._folder = folder
        self._loop: Loop[Any, Any] | None = None
        self._watcher: Watcher | None = None

    def start(self) -> None:
        self._loop = Loop(Automation(self.ground, find_host=lambda region, id_: self.hosts.get((region, id_))), 1.0)
        self._watcher = Watcher(self.ground.api, self._loop.poke)
        self._loop.start()
        self._watcher.start()

    def stop(self) -> None:
        if self._loop and self._watcher:
            self._watcher.stop()
            self._loop.stop()
        self._loop = self._watcher = None

    def client(self, service: str, region: str = HOME) -> Any:
        return self.account.client(service, region)

    def launch(self, region: str = HOME, *, host: bool = True, **tags: str) -> str:
        """An instance of the API, and a host behind it."""
        ec2 = self.client("ec2", region)
        vpcs = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
        subnets = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpcs[0]["VpcId"]]}])["Subnets"]
        made = ec2.run_instances(
            ImageId="ami-0123456789abcdef0",
            InstanceType="t3.micro",
            MinCount=1,
            MaxCount=1,
            SubnetId=subnets[0]["SubnetId"],
            TagSpecifications=[
                {"ResourceType": "instance", "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}
            ]
            if tags
            else [],
        )
        id_ = str(made["Instances"][0]["InstanceId"])
        if host:
            root = self._folder / id_
            root.mkdir()
            self.hosts[region, id_] = ShellHost(region, id_, root)
        return id_


Rooms = Callable[..., Room]


@pytest.fixture
def rooms() -> Iterator[Rooms]:
    """Makes rooms that end with the test; `rooms(pace=FAST)`."""
    with ExitStack() as stack:

        def make(pace: Any = FAST) -> Room:
            root = Path(tempfile.mkdtemp(prefix="bicoastal-twin-"))
            root.chmod(0o755)
            stack.callback(shutil.rmtree, root, ignore_errors=True)
            on = stack.enter_context(ground(root, ("automation",), (HOME, STANDBY), pace))
            stack.callback(end_leftovers, on.home, 1)
            (root / "hosts").mkdir()
            room = Room(on, root / "hosts")
            room.start()
            stack.callback(room.stop)
            return room

        yield make


@pytest.fixture
def room(rooms: Rooms) -> Room:
    return rooms()


@contextmanager
def room_with(*stacks: str) -> Iterator[tuple[Room, Walker]]:
    """A room at the quick pace, with stacks of the deployment (`access/us-east-1`) and what these need."""
    with ExitStack() as stack:
        root = Path(tempfile.mkdtemp(prefix="bicoastal-twin-"))
        root.chmod(0o755)
        stack.callback(shutil.rmtree, root, ignore_errors=True)
        on = stack.enter_context(ground(root, ("automation",), (HOME, STANDBY), QUICK))
        stack.callback(end_leftovers, on.home, 1)
        (root / "hosts").mkdir()
        room = Room(on, root / "hosts")
        made = compose(spec())
        files = {f"templates/{item.kind}.yaml": item.to_yaml() for item in made.stacks}
        walker = Walker(Account(on.api.endpoint), closure(made.manifest, *stacks), files)
        walker.up()
        room.start()
        stack.callback(room.stop)
        yield room, walker
