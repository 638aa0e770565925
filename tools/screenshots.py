"""`python -m tools.screenshots`: the pictures of docs/console.md, made from the real thing.

Starts a twin of the sample, puts users on both coasts, opens its console in a headless Chromium, and does all by the
page's own buttons: takes us-east-1 away, fails over, gives it back, rejoins, switches over, rejoins, rehearses a drill,
and opens its report. Takes a picture of each moment, light and dark, and ends all of it. Needs a Chromium on this
machine. With --home it does so on a twin that runs, and leaves it as it is then.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bicoastal.console.key import Key
from tests.support.browser import chromium, until
from tests.support.running import EAST, WEST, Running, Writers, running, sample

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PICTURES = Path(__file__).resolve().parent.parent / "docs" / "pictures"
LARGEST = 200_000
"""Bytes of a picture."""
SETTLED_S = 120.0
TRAFFIC_S = 75.0
"""Of users before the first picture: charts have something to show."""
OPERATION_S = 300.0
DRILL = "database-loss"
WIDTH, HEIGHT = 1280, 700
NARROW = 800


def main() -> int:
    """Make all of them; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, help="the folder of a twin that runs")
    parser.add_argument("--traffic", type=float, default=TRAFFIC_S, metavar="SECONDS", help="of users before the first")
    asked = parser.parse_args()
    PICTURES.mkdir(exist_ok=True)
    with ExitStack() as stack:
        twin = stack.enter_context(_twin(asked.home))
        stack.enter_context(Writers(twin, (EAST, WEST), pause_s=0.15))
        browser = stack.enter_context(chromium())
        _play(twin, browser, asked.traffic)
    return 0


@contextmanager
def _twin(home: Path | None) -> Iterator[Running]:
    if home is None:
        with running(sample, "--pace", "fast") as made:
            yield made
        return
    told = json.loads((home / "up.json").read_text())
    yield Running(home, Path(told["spec"]))


def _play(twin: Running, browser: Browser, traffic_s: float) -> None:
    key = Key.kept(twin.home / "console.json")
    if key is None:
        raise SystemExit("This twin has no console.")
    pages = {scheme: _open(browser, key.url, scheme) for scheme in ("light", "dark")}
    narrow = _open(browser, key.url, "light", NARROW)
    light = pages["light"]
    light.get_by_text(f"{EAST} is the primary, protected").wait_for(timeout=SETTLED_S * 1000)
    time.sleep(traffic_s)
    _take(pages, "before")
    _shoot(narrow, "narrow")
    home = light.locator("fieldset", has=light.locator("legend", has_text=EAST))
    home.get_by_role("button", name="Lose it: refuses").click()
    for made in pages.values():
        made.locator("#picture").get_by_text(f"all to {WEST}").wait_for()
    _fail_over(pages)
    _go_home(light)
    _rehearse(pages)


def _operate(light: Page, verb: str, during: Callable[[], None] = lambda: None) -> None:
    """Ask for an operation until it is done."""
    start = light.get_by_role("button", name="Start", exact=True)
    light.locator("#operation-form select[name=verb]").select_option(verb)
    before = light.locator("#operation .command").inner_text() if light.locator("#operation .command").count() else ""
    told = False

    def said() -> str:
        found = light.locator("#operation .command")
        return found.inner_text() if found.count() else ""

    def done() -> bool:
        nonlocal told
        now = said()
        if now == before or "refused" in now or "ended with" in now:
            # What the guard refuses now, or a busy machine does not answer, it may allow in a second. Not by the mouse:
            # what the operation says moves the button away under it.
            start.press("Enter")
            time.sleep(1)
        elif not told and light.locator("#operation .steps .good").count() >= 2:
            told = True
            during()
        return now != before and verb in now and "done" in now

    until(f"{verb} is done", done, OPERATION_S)
    print(f"{verb} is done", flush=True)


def _fail_over(pages: dict[str, Page]) -> None:
    _operate(pages["light"], "failover", lambda: _take(pages, "during"))
    for made in pages.values():
        made.get_by_text(f"{WEST} is the primary, unprotected").wait_for(timeout=SETTLED_S * 1000)
    time.sleep(8)  # one more point of each chart
    _take(pages, "after")


def _go_home(light: Page) -> None:
    light.get_by_role("button", name="Give the region back").click()
    _operate(light, "rejoin")
    light.get_by_text(f"{WEST} is the primary, protected").wait_for()
    _operate(light, "switchover")
    light.get_by_text(f"{EAST} is the primary, unprotected").wait_for()
    _operate(light, "rejoin")
    light.get_by_text(f"{EAST} is the primary, protected").wait_for()


def _rehearse(pages: dict[str, Page]) -> None:
    light = pages["light"]
    light.locator("#drill-form select[name=name]").select_option(DRILL)
    light.get_by_role("button", name="Start the drill").press("Enter")
    link = light.locator("#reports a").first
    link.wait_for(timeout=OPERATION_S * 1000)
    with light.context.expect_page() as opened:
        link.press("Enter")
    opened.value.set_viewport_size({"width": WIDTH, "height": HEIGHT})
    opened.value.locator(".verdict").first.wait_for()
    print(opened.value.locator(".verdict").first.inner_text())
    _shoot(opened.value, "report")


def _open(browser: Browser, url: str, scheme: str, width: int = WIDTH) -> Page:
    context = browser.new_context(
        color_scheme="dark" if scheme == "dark" else "light", viewport={"width": width, "height": HEIGHT}
    )
    made = context.new_page()
    made.set_default_timeout(SETTLED_S * 1000)
    made.goto(url)
    made.wait_for_selector("#picture svg")
    return made


def _take(pages: dict[str, Page], moment: str) -> None:
    for scheme, made in pages.items():
        _shoot(made, f"{moment}-{scheme}")


def _shoot(made: Page, name: str) -> None:
    path = PICTURES / f"console-{name}.png"
    made.evaluate("() => scrollTo(0, 0)")
    made.screenshot(path=path, animations="disabled")
    size = path.stat().st_size
    print(f"{path.name}: {size / 1000:.0f} kB")
    if size > LARGEST:
        raise SystemExit(f"{path} has {size} bytes: more than {LARGEST}.")


if __name__ == "__main__":
    sys.exit(main())
