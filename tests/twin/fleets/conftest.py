"""A place for each module, with the fleets' controller at work."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bicoastal.twin.ground import ground
from tests.twin.fleets.place import BRISK, REGION, Place, silent


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    root = Path(tempfile.mkdtemp(prefix="bicoastal-twin-"))
    root.chmod(0o755)
    try:
        with ground(root, ("instances", "fleets"), (REGION, "us-west-2"), BRISK) as made:
            place = Place(made)
            place.start()
            yield place
            place.stop()
    finally:
        shutil.rmtree(root, ignore_errors=True)


@pytest.fixture(autouse=True)
def working_hardware(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever a test does to it."""
    yield
    if "place" in request.fixturenames:
        hardware = request.getfixturevalue("place").hardware
        hardware.boots = True
        hardware.signals = silent
