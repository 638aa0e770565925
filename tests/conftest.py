"""Settings of the whole suite: property-based tests are the same on every machine, and never fail for being slow.

Tests that share servers run in one worker, so that these are started once; what waits longest begins first.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest
from hypothesis import settings

settings.register_profile("suite", derandomize=True, deadline=None, max_examples=60)
settings.load_profile("suite")

_WHOLE = "tests/twin/whole/"
_OWN_TWIN = ("test_beside", "test_console")
"""Files whose twin is their own; the others share one."""
_BY_FILE = ("tests/twin/", "tests/drill/", "tests/console/", "tests/operate/", "tests/deploy/", "tests/kit/",
            "tests/sample/")  # fmt: skip
"""Each file of these starts servers, once for all of its tests."""
_FIRST = (_WHOLE, "tests/drill/experiments/", "tests/console/", "tests/twin/", "tests/kit/", "tests/sample/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What starts whole regions begins first, for it ends last."""
    items.sort(key=lambda item: next((at for at, path in enumerate(_FIRST) if item.nodeid.startswith(path)), 99))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """By what tests share; pytest-xdist's groups by mark do not work with this pytest."""
    scheduler = import_module("xdist.scheduler").LoadScopeScheduling(config, log)
    scheduler._split_scope = _shares
    return scheduler


def _shares(nodeid: str) -> str:
    path = nodeid.split("::", 1)[0]
    if path.startswith(_WHOLE) and not any(name in path for name in _OWN_TWIN):
        return _WHOLE
    return path if path.startswith(_BY_FILE) else nodeid
