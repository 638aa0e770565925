"""The bars of the console, on a twin at the fast pace, with one page open in a headless Chromium.

    first     from opening the page to the picture of both coasts, as the browser's own clock has it    <= 1 s
    behind    from a call that changes something to the page that shows it, the median of several       <= 1 s
    watching  CPU of the console's process while the page is open, of one core                           <= 5 %
    nobody    the same after the page was closed                                                         <= 0.5 %

The console that is measured is `bicoastal console`, a process of its own: what `up` has within it is the same code,
with a hint of the gateway in place of a look every two seconds. What watching costs the control plane is said beside.
Prints ratios to the limits; exits 1 when a bar is missed. Run it on a machine that does nothing else.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from tests.support.browser import chromium, until
from tests.support.running import BIN, WEST, Running, running, sample

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

FIRST_S = 1.0
BEHIND_S = 1.0
WATCHING_PERCENT = 5.0
NOBODY_PERCENT = 0.5
TIMES = 5
WATCHED_S = 60.0
QUIET_S = 20.0
_LINGER_S = 6.0
"""A console looks on for a moment after the last page has gone, and ends what it was asking."""


def main() -> int:
    """Measure, print, judge."""
    with running(sample, "--pace", "fast") as twin, chromium() as browser:
        held = [_first(twin, browser), _behind(twin, browser)]
        with tempfile.TemporaryDirectory() as state, _console(twin, Path(state)) as (process, url):
            held += _cpu(twin, browser, psutil.Process(process.pid), url)
    return 0 if all(held) else 1


def _first(twin: Running, browser: Browser) -> bool:
    """Of the console of `up`: the first time is the worst, and is counted."""
    found = []
    for _ in range(TIMES):
        made = _open(browser, _address(twin))
        found.append(float(made.evaluate("() => window.bicoastal.firstPicture")) / 1000)
        made.context.close()
    print(f"first picture            {', '.join(f'{one:.2f}' for one in found)} s")
    return _bar("first picture, the worst", max(found), "s", FIRST_S)


def _behind(twin: Running, browser: Browser) -> bool:
    """An Auto Scaling group's wish is changed by the API, and looked for in the page."""
    made = _open(browser, _address(twin))
    groups = twin.client("autoscaling", WEST)
    found = []
    for wanted in (3, 2) * TIMES:
        groups.set_desired_capacity(AutoScalingGroupName="orders-production-fleet", DesiredCapacity=wanted)
        found.append(_shows(made, f"of {wanted} in service"))
        time.sleep(3)
    made.context.close()
    print(f"behind                   {', '.join(f'{one:.2f}' for one in found)} s")
    return _bar("behind, the median", statistics.median(found), "s", BEHIND_S)


def _shows(made: Page, text: str) -> float:
    begun = time.monotonic()
    coast = made.locator("#picture svg > g").filter(has_text=f"users near {WEST}")
    until(f"the page shows {text!r}", lambda: text in (coast.first.text_content() or ""), 30)
    return time.monotonic() - begun


def _cpu(twin: Running, browser: Browser, console: psutil.Process, url: str) -> list[bool]:
    (cloud,) = [psutil.Process(pid) for pid in twin.processes("bicoastal.twin.cloud.server")]
    time.sleep(_LINGER_S)
    before, idle = _share(console, cloud, QUIET_S)
    made = _open(browser, url)
    time.sleep(10)
    watching, busy = _share(console, cloud, WATCHED_S)
    made.context.close()
    time.sleep(_LINGER_S)
    after, _ = _share(console, cloud, QUIET_S)
    print(f"control plane            {idle:6.1f} %   of a core without a page, {busy:.1f} % with one; no limit")
    return [
        _bar("watching", watching, "%", WATCHING_PERCENT),
        _bar("nobody, before and after", max(before, after), "%", NOBODY_PERCENT),
    ]


def _share(one: psutil.Process, other: psutil.Process, seconds: float) -> tuple[float, float]:
    """Percent of a core that each took in so long."""
    began, spent = time.monotonic(), [_spent(one), _spent(other)]
    time.sleep(seconds)
    took = time.monotonic() - began
    first, second = ((_spent(process) - was) / took * 100 for process, was in zip((one, other), spent, strict=True))
    return first, second


def _spent(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _open(browser: Browser, url: str) -> Page:
    made = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    made.goto(url)
    made.locator("#picture svg .frame").nth(1).wait_for()
    until("both coasts are drawn", lambda: made.evaluate("() => Boolean(window.bicoastal)"), 60)
    return made


def _address(twin: Running) -> str:
    found = re.search(r"console +(http://\S+)", twin.bicoastal("status").stdout)
    if found is None:
        raise SystemExit("status names no console")
    return found[1]


@contextmanager
def _console(twin: Running, state: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    process = subprocess.Popen(
        [BIN / "bicoastal", "console", "--spec", str(twin.spec)],
        env={**os.environ, **twin.environment, "XDG_STATE_HOME": str(state), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        if process.stdout is None:
            raise SystemExit("no output")
        found = re.search(r"http://\S+", process.stdout.readline())
        if found is None:
            raise SystemExit("the console prints no address")
        yield process, found[0]
    finally:
        process.terminate()
        process.wait(20)


def _bar(what: str, value: float, unit: str, limit: float) -> bool:
    held = value <= limit
    print(f"{what:<24} {value:6.2f} {unit:<3} ratio to its limit {value / limit:.2f}  {'held' if held else 'MISSED'}")
    return held


if __name__ == "__main__":
    sys.exit(main())
