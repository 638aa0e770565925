"""The console on a twin that runs: both coasts, a whole failover by its buttons, and a server that was killed."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.browser import chromium, page, until
from tests.support.running import BIN, EAST, WEST, Running, running, sample

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

FAILOVER_S = 180.0


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as made:
        yield made


@pytest.fixture(scope="module")
def lonely(browser: Browser) -> Iterator[Running]:
    """A twin of its own: one of its regions is lost, and does not come back."""
    del browser  # without one there is nothing to start a twin for
    with running(sample, "--pace", "fast") as made:
        yield made


def address(twin: Running) -> str:
    """As `status` prints it."""
    found = re.search(r"console +(http://127\.0\.0\.1:\d+/#token=\S+)", twin.bicoastal("status").stdout)
    assert found is not None
    return found[1]


def test_it_is_named_by_status_and_opened_by_its_owner_alone(lonely: Running) -> None:
    key = lonely.home / "console.json"
    assert key.stat().st_mode & 0o077 == 0
    token = json.loads(key.read_text())["token"]
    assert address(lonely).endswith(token)
    assert token not in (lonely.home / "up.json").read_text()
    # A detached `up` prints into a file; nobody else finds the token in one that he may read.
    holding = [path for path in lonely.home.rglob("*.log") if token in path.read_text(errors="replace")]
    assert holding
    assert all(path.stat().st_mode & 0o077 == 0 for path in holding)


def test_the_picture_shows_both_coasts_as_they_are(lonely: Running, browser: Browser) -> None:
    with page(browser) as made:
        made.goto(address(lonely))
        made.get_by_text(f"{EAST} is the primary, protected").wait_for()
        picture = made.locator("#picture")
        for region in (EAST, WEST):
            for instance in lonely.in_service(region):
                picture.get_by_text(f"…{instance[-5:]}").wait_for()
        # Figures, lag and LSN come by other ways than the rest.
        until("LSNs are known", lambda: len(re.findall(r"to 0/[0-9A-F]+ · epoch 1", picture.inner_text())) == 2)
        until("requests are counted", lambda: len(re.findall(r"[\d.]+ requests/s", picture.inner_text())) == 2)
        until("the lag is known", lambda: re.search(r"\d m?s behind", picture.inner_text()))
        assert "65 ms round trip" in picture.inner_text()
        until("votes are known", lambda: "3 of 3" in made.locator("#checks").inner_text())
        until(
            "names lead users home",
            lambda: "unknown" not in (made.locator("#picture .users").first.text_content() or "unknown"),
        )


def test_what_changes_is_seen_within_a_second_or_two(lonely: Running, browser: Browser) -> None:
    with page(browser) as made:
        made.goto(address(lonely))
        made.locator("#picture").get_by_text("of 2 in service").first.wait_for()
        groups = lonely.client("autoscaling", WEST)
        groups.set_desired_capacity(AutoScalingGroupName="orders-production-fleet", DesiredCapacity=3)
        until("it is told", lambda: "shall have 3 instances" in made.locator("#events").inner_text(), 20)
        made.locator("#picture").get_by_text("3 of 3 in service").wait_for()


def test_a_server_that_is_killed_is_found_again(lonely: Running, browser: Browser, tmp_path: Path) -> None:
    with page(browser) as made:
        first, url = served(lonely, tmp_path)
        try:
            made.goto(url)
            made.get_by_text(f"{EAST} is the primary, protected").wait_for()
            # Somebody else's console: it takes nothing away, and wants the name to be typed.
            assert made.locator("#faults-card").is_hidden()
            made.get_by_role("button", name="Start", exact=True).click()
            made.get_by_text("confirmed by typing the deployment's name").wait_for()
        finally:
            first.kill()
            _left(first)
        made.get_by_text("no word from the console").wait_for()
        second, again = served(lonely, tmp_path)
        try:
            assert again == url
            until("it is live again", lambda: made.locator("#live-text").inner_text().startswith("live"))
            made.get_by_text(f"{EAST} is the primary, protected").wait_for()
        finally:
            second.send_signal(signal.SIGINT)
            assert _left(second, 30) == 0


def _left(process: subprocess.Popen[str], within_s: float = 10) -> int:
    """Wait for its end; returns its exit code."""
    with process:
        return process.wait(within_s)


def served(twin: Running, state: Path) -> tuple[subprocess.Popen[str], str]:
    """`bicoastal console` as a process, and the address that it prints."""
    process = subprocess.Popen(
        [BIN / "bicoastal", "console", "--spec", str(twin.spec)],
        env={**os.environ, **twin.environment, "XDG_STATE_HOME": str(state), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    timer = threading.Timer(60, process.kill)
    timer.start()
    line = process.stdout.readline()
    timer.cancel()
    found = re.search(r"http://\S+", line)
    assert found is not None, f"it printed {line!r}"
    return process, found[0]


def test_a_failover_is_seen_from_its_fault_to_its_end(lonely: Running, browser: Browser) -> None:
    """Last, for the region stays away."""
    with page(browser) as made:
        made.goto(address(lonely))
        made.get_by_text(f"{EAST} is the primary, protected").wait_for()
        # With the primary alive, the guard refuses.
        start = made.get_by_role("button", name="Start", exact=True)
        start.click()
        until("it is refused", lambda: word(made).startswith("refused"))
        home = made.locator("fieldset", has=made.locator("legend", has_text=EAST))
        home.get_by_role("button", name="Lose it: refuses").click()
        made.locator("#wrong").get_by_text(f"{EAST}: taken away by hand").wait_for()
        made.locator("#picture").get_by_text(f"all to {WEST}").wait_for()

        def done() -> bool:
            # What the guard refuses now it may allow in a second.
            if word(made).startswith("refused") and start.is_enabled():
                start.click()
            return word(made).startswith("done")

        until("the failover is done", done, FAILOVER_S)
        steps = made.locator("#operation .steps li").all_inner_texts()
        assert all(re.search(r"\d m?s$", step) for step in steps), steps
        made.get_by_text(f"{WEST} is the primary, unprotected").wait_for()
        happened = made.locator("#events").inner_text()
        for text in (f"by hand: {EAST} is lost", f"users near {EAST} are sent to {WEST}", "the switch says on:2;",
                     "failover: promote", f"the primary is in {WEST}", "failover is done"):  # fmt: skip
            assert text in happened, text
    assert lonely.get(WEST).status == 200


def word(made: Page) -> str:
    """How the operation goes, in a word."""
    found = made.locator("#operation .command b")
    return found.inner_text() if found.count() else ""
