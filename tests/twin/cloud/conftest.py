"""A control plane of its own for each module; the whole deployment, where a module asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bicoastal.blueprint.stacks import compose
from bicoastal.twin.cloud.process import Cloud
from tests.support.cloudformation import Account, Walker
from tests.support.specs import spec


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with Cloud(tmp_path_factory.mktemp("cloud")) as running:
        yield running


@pytest.fixture(scope="module")
def account(cloud: Cloud) -> Account:
    return Account(cloud.endpoint)


@pytest.fixture(scope="module")
def walker(account: Account) -> Walker:
    """The deployment of the smallest spec, nothing of it created yet."""
    made = compose(spec())
    return Walker(account, made.manifest, {f"templates/{stack.kind}.yaml": stack.to_yaml() for stack in made.stacks})


@pytest.fixture(scope="module")
def standing(walker: Walker) -> Walker:
    """The same, with all its stacks created in both regions."""
    walker.up()
    return walker


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cloud"
