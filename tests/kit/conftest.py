"""Real servers and instances for the kit's tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.instance import Instance
from tests.support.postgres import Laboratory, Pair, Postgres, replicated, running

Launch = Callable[..., Instance]


@pytest.fixture(scope="session")
def laboratory() -> Iterator[Laboratory]:
    """PostgreSQL's programs and an initialized cluster."""
    made = Laboratory()
    yield made
    made.end()


@pytest.fixture
def primary(laboratory: Laboratory) -> Iterator[Postgres]:
    """A primary, before any bootstrap."""
    with running(laboratory.cluster("east")) as server:
        yield server


@pytest.fixture
def pair(primary: Postgres) -> Iterator[Pair]:
    """The primary, and its replica in the other region."""
    with replicated(primary) as both:
        yield both


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Launch]:
    """Make instances; all of them end with the test."""
    made: list[Instance] = []

    def make(server: Postgres, **changes: Any) -> Instance:
        instance = Instance(tmp_path / f"{len(made):08x}", server, **changes)
        made.append(instance)
        return instance

    yield make
    for instance in made:
        instance.close()


@pytest.fixture
def home(primary: Postgres, launch: Launch) -> Instance:
    """An instance beside the primary, whose database is bootstrapped."""
    instance = launch(primary)
    instance.answer("bootstrap")
    return instance
