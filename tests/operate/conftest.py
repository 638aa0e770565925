"""A deployment on the control plane alone, with kits that are told by RDS what their databases are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bicoastal.blueprint.stacks import compose
from bicoastal.operate.subject import Subject
from bicoastal.twin.cloud.process import Cloud
from tests.operate.kits import EAST, WEST, Kits, SessionWithKits
from tests.support.cloudformation import Account, Walker
from tests.support.specs import spec


@pytest.fixture(scope="module")
def kits(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kits]:
    """All stacks stand in both regions."""
    made = compose(spec())
    templates = {f"templates/{stack.kind}.yaml": stack.to_yaml() for stack in made.stacks}
    with Cloud(tmp_path_factory.mktemp("cloud")) as cloud:
        Walker(Account(cloud.endpoint), made.manifest, templates).up()
        yield Kits(cloud.endpoint)


@pytest.fixture
def session(kits: Kits) -> SessionWithKits:
    return SessionWithKits.of(kits)


@pytest.fixture
def subject() -> Subject:
    return Subject("orders", "production", "orders.example.com", EAST, WEST, "nearest", rpo_s=30.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path
