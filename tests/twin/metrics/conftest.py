"""A control plane for each module, with the plane `metrics`, its minutes two seconds; hosts with no instance."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bicoastal.aws.session import Session
from bicoastal.twin.ground import Ground, ground
from bicoastal.twin.interfaces import Said, Usage
from bicoastal.twin.pace import Pace

HOME, STANDBY = "us-east-1", "us-west-2"
EC2 = "ec2.amazonaws.com"
Policy = Mapping[str, Any]


@pytest.fixture(scope="module")
def twin() -> Iterator[Ground]:
    root = Path(tempfile.mkdtemp(prefix="bicoastal-twin-"))
    root.chmod(0o755)
    with ground(root, ("metrics",), (HOME, STANDBY), Pace("faster", 30)) as made:
        yield made
    shutil.rmtree(root)


@dataclass
class Machine:
    """A host whose figures the test sets."""

    ground: Ground
    id: str
    root: Path
    address: str
    role: str
    region: str = HOME
    zone: str = "us-east-1a"
    vcpus: float = 2.0
    memory_bytes: int = 1000
    cpu_s: float = 0.0
    used_bytes: int = 250
    tags: dict[str, str] = field(default_factory=lambda: {"aws:autoscaling:groupName": "fleet"})

    def tag(self, name: str) -> str | None:
        return self.tags.get(name)

    def session(self) -> Session:
        api = self.ground.api
        return api.session(api.credentials(self.role, EC2, self.id))

    def usage(self) -> Usage:
        return Usage(self.cpu_s, self.used_bytes)

    def shell(self, script: str, within_s: float, environment: Mapping[str, str] | None = None) -> Said:
        raise NotImplementedError

    def write(self, path: str, text: str, *, more: bool = True) -> None:
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a" if more else "w") as stream:
            stream.write(text)


def allow(*actions: str, **more: Any) -> Policy:
    return {"Effect": "Allow", "Action": list(actions), "Resource": "*", **more}


ALL = allow("logs:*", "cloudwatch:PutMetricData", "ec2:DescribeTags")
Machines = Callable[..., Machine]


@pytest.fixture
def machines() -> Machines:
    """Makes hosts: `machines(ground, "i-1", allow("logs:*"))`; the policies are those of its role."""

    def make(ground: Ground, id_: str, *policies: Policy, region: str = HOME) -> Machine:
        iam = ground.api.client("iam", HOME)
        role = f"role-{id_}"
        trust = {"Effect": "Allow", "Principal": {"Service": EC2}, "Action": "sts:AssumeRole"}
        iam.create_role(RoleName=role, AssumeRolePolicyDocument=_document(trust))
        if policies:
            iam.put_role_policy(RoleName=role, PolicyName="all", PolicyDocument=_document(*policies))
        root = ground.home.root / "instances" / region / id_
        root.mkdir(parents=True)
        address = ground.addresses.of(f"instance/{region}/{id_}")
        return Machine(ground, id_, root, address, role, region=region)

    return make


def _document(*statements: Policy) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
