"""A browser for tests: Chromium as the machine has it, driven by Playwright; where there is none, tests are skipped."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Literal

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ARGUMENTS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
WITHIN_S = 60.0
"""For what a page shows on a busy machine."""
Scheme = Literal["light", "dark"]


def executable() -> str | None:
    """Where Chromium is on this machine."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """One that ends with the block; a test without one is skipped."""
    found = executable()
    if found is None:
        pytest.skip("there is no Chromium on this machine: `apt-get install chromium` brings one")
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - it starts a driver

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


@contextlib.contextmanager
def page(browser: Browser, *, scheme: Scheme = "light", width: int = 1280, height: int = 900) -> Iterator[Page]:
    """An empty page in a profile of its own. What it reports as an error fails the test when the block ends."""
    errors: list[str] = []
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": height})
    try:
        made = context.new_page()
        made.set_default_timeout(WITHIN_S * 1000)
        made.on("pageerror", lambda error: errors.append(str(error)))
        yield made
    finally:
        context.close()
    assert errors == []


def until(what: str, condition: Callable[[], object], within_s: float = WITHIN_S) -> float:
    """Look until it is so; returns the seconds that it took. The page's policy forbids waiting within it."""
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < within_s, f"it did not come about within {within_s:g} s: {what}"
        time.sleep(0.05)
    return time.monotonic() - begun
