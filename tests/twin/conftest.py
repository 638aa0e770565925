"""Homes of twins that the unprivileged account can enter, whoever runs the tests."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bicoastal.twin.home import Home
from bicoastal.twin.processes import end_leftovers


@pytest.fixture
def home() -> Iterator[Home]:
    # Not tmp_path: as root it lies in a folder that others cannot enter.
    root = Path(tempfile.mkdtemp(prefix="bicoastal-twin-"))
    root.chmod(0o755)
    with Home(root) as made:
        yield made
        end_leftovers(made, grace_s=1)
    shutil.rmtree(root)
