"""Homes of twins that the unprivileged account can enter, whoever runs the tests."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from bicoastal.twin.ground import Ground, ground
from bicoastal.twin.home import Home
from bicoastal.twin.pace import REAL, Pace
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


Grounds = Callable[..., Ground]
REGIONS = ("us-east-1", "us-west-2")


@pytest.fixture
def grounds() -> Iterator[Grounds]:
    """Makes grounds with the control plane behind them: `grounds("databases", pace=FAST)`; all end with the test."""
    with ExitStack() as stack:

        def make(*planes: str, pace: Pace = REAL, folder: Path | None = None) -> Ground:
            root = folder or Path(tempfile.mkdtemp(prefix="bicoastal-twin-"))
            root.chmod(0o755)
            stack.callback(shutil.rmtree, root, ignore_errors=True)
            made = stack.enter_context(ground(root, planes, REGIONS, pace))
            stack.callback(end_leftovers, made.home, 1)
            return made

        yield make
