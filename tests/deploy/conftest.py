"""One stand-in for AWS for all tests of this folder; each test has a deployment of its own name."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from bicoastal.aws.session import Session
from bicoastal.deploy.deployment import Result, Wishes, deploy
from bicoastal.deploy.moments import Moment
from bicoastal.stacks.view import StackView, view
from tests.support.ministack import Ministack, ministack
from tests.support.small_deployment import HOME, SmallDeployment


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ministack]:
    with ministack(tmp_path_factory.mktemp("ministack")) as running:
        yield running


@dataclass
class Bench:
    """A deployment, the cloud that it goes to, and what was told."""

    cloud: Ministack
    small: SmallDeployment = field(default_factory=SmallDeployment)
    moments: list[Moment] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.session: Session = self.cloud.session()

    def deploy(self, *allowed: str) -> Result:
        self.moments.clear()
        return deploy(self.session, self.small.package, Wishes(allowed), self.moments.append, self.stop)

    def stack(self, kind: str, region: str = HOME) -> StackView | None:
        return view(self.session, f"{self.small.name}-test-{kind}", region)

    def status(self, kind: str, region: str = HOME) -> str:
        found = self.stack(kind, region)
        return found.status if found else "none"

    def signal(self, kind: str, region: str, resource: str) -> None:
        """Let a waiting resource be done, as soon as it waits."""
        client = self.client("cloudformation", region)
        name = f"{self.small.name}-test-{kind}"

        def waiting() -> bool:
            if self.stack(kind, region) is None:
                return False
            found = client.describe_stack_events(StackName=name)["StackEvents"]
            return any(
                (item["LogicalResourceId"], item["ResourceStatus"]) == (resource, "CREATE_IN_PROGRESS")
                for item in found
            )

        until(waiting)
        client.signal_resource(StackName=name, LogicalResourceId=resource, UniqueId="1", Status="SUCCESS")

    def client(self, service: str, region: str = HOME) -> Any:
        return self.session.client(service, region)


def until(condition: Callable[[], object], deadline_s: float = 20.0) -> None:
    """Look until it is so; an assertion fails at the deadline."""
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.02)


@pytest.fixture
def bench(cloud: Ministack) -> Bench:
    return Bench(cloud)
