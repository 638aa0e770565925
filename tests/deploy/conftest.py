"""One stand-in for AWS for all tests of this folder; each test has a deployment of its own name."""

from __future__ import annotations

import threading
from collections.abc import Iterator
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

    def client(self, service: str, region: str = HOME) -> Any:
        return self.session.client(service, region)


@pytest.fixture
def bench(cloud: Ministack) -> Bench:
    return Bench(cloud)
